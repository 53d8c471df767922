/** Tests that ids are UUIDv7, only ever grow, and are read as people type them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededChance } from './chance.ts';
import { errorTable } from './error-table.ts';
import { createIds, derivedId, idTime, isId, normalizeId, parseId } from './ids.ts';

const at2026 = 1_793_000_000_123;

function idsAt(times: readonly number[], seed = 1) {
  let call = 0;
  return createIds({ now: () => times[Math.min(call++, times.length - 1)] ?? 0 }, seededChance(seed));
}

/** Base32 back to the 128 bits of the UUID. */
function bitsOf(id: string): bigint {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  return [...id].reduce((bits, character) => (bits << 5n) | BigInt(digits.indexOf(character)), 0n);
}

describe('createIds', () => {
  test('makes UUIDv7: time, version 7, variant 10', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.integer(), (ms, seed) => {
        const id = idsAt([ms], seed).next();
        const bits = bitsOf(id);
        expect(id).toHaveLength(26);
        expect(bits >> 128n).toBe(0n);
        expect(Number(bits >> 80n)).toBe(ms);
        expect((bits >> 76n) & 0xfn).toBe(7n);
        expect((bits >> 62n) & 0x3n).toBe(2n);
        expect(isId(id)).toBe(true);
        expect(idTime(id)).toBe(ms);
      }),
    );
  });

  test('only grows, in one millisecond and when the clock steps back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: at2026 }), { minLength: 2, maxLength: 50 }),
        fc.integer(),
        (times, seed) => {
          const ids = idsAt(times, seed);
          const made = times.map(() => ids.next());
          expect([...made].sort()).toEqual(made);
          expect(new Set(made).size).toBe(made.length);
        },
      ),
    );
  });

  test('differs within the 16 characters a list shows, for a whole bulk enqueue', () => {
    const made = idsAt([at2026]).many(10_000);
    expect(new Set(made.map((id) => id.slice(0, 16))).size).toBe(10_000);
  });

  test('moves to the next millisecond when the counter of one is used up', () => {
    const ids = createIds({ now: () => at2026 }, { float: () => 0, bytes: (n) => new Uint8Array(n).fill(255) });
    const first = ids.next();
    let last = first;
    for (let i = 0; i < 2 ** 23; i++) last = ids.next();
    expect(idTime(first)).toBe(at2026);
    expect(idTime(last)).toBe(at2026);
    expect(idTime(ids.next())).toBe(at2026 + 1);
  }, 90_000); // eight million ids, also on a busy machine

  test('differs between two processes in the same millisecond', () => {
    const made = [...idsAt([at2026], 1).many(1000), ...idsAt([at2026], 99).many(1000)];
    expect(new Set(made).size).toBe(2000);
  });
});

describe('derivedId', () => {
  test('is the same for everybody and carries the nominal time', () => {
    const id = derivedId(at2026, 'nightly');
    expect(derivedId(at2026, 'nightly')).toBe(id);
    expect(id).toBe('01M5VJ1JKVEAEA4M5KQDB7PFVC');
    expect(isId(id)).toBe(true);
    expect(idTime(id)).toBe(at2026);
  });

  test('differs for another schedule and another time', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(), fc.nat(), (a, b, atA, atB) => {
        fc.pre(a !== b || atA !== atB);
        expect(derivedId(atA, a)).not.toBe(derivedId(atB, b));
      }),
    );
  });
});

describe('parseId', () => {
  const id = idsAt([at2026]).next();

  test('accepts lower case, look-alikes and spaces around it', () => {
    expect(parseId(`  ${id.toLowerCase()} `)).toBe(id);
    expect(parseId(id.replaceAll('0', 'o').replaceAll('1', 'l'))).toBe(id);
    expect(parseId(id.replaceAll('0', 'O').replaceAll('1', 'I'))).toBe(id);
  });

  test.each([
    ['', 'it has 0 characters, an id has 26'],
    ['01K8PZX2M4QJ', 'it has 12 characters, an id has 26'],
    [`${id.slice(0, 25)}U`, '"U" at 26 is not a digit of an id'],
    [`8${id.slice(1)}`, 'its time, version or variant bits are not those of a UUIDv7'],
    ['0'.repeat(26), 'its time, version or variant bits are not those of a UUIDv7'],
  ])('says what is wrong with %j', (text, reason) => {
    expect(() => parseId(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_ID', message: expect.stringContaining(reason) }),
    );
  });

  test('never shows more than 40 characters of what was typed', () => {
    expect(() => parseId('x'.repeat(10_000))).toThrow(/^.{0,200}$/);
  });

  test('normalizes the beginning of an id too', () => {
    expect(normalizeId('o1k8pz')).toBe('01K8PZ');
  });
});

test('the id that a refusal shows as an example is one', () => {
  const example = /such as (\w+)\./.exec(errorTable.INVALID_ID.hint ?? '')?.[1];
  expect(isId(example ?? '')).toBe(true);
});

test('a UUIDv7 in hex is the same id in other digits, any other UUID is none', () => {
  fc.assert(
    fc.property(fc.uuid({ version: 7 }), (uuid) => {
      const id = parseId(uuid);
      expect(isId(id)).toBe(true);
      expect(bitsOf(id)).toBe(BigInt(`0x${uuid.replaceAll('-', '')}`));
      expect(parseId(uuid.toUpperCase())).toBe(id);
    }),
  );
  expect(() => parseId('7b0e1c2a-5d2f-4d0e-9d53-3a1c0e9f4c11')).toThrow(/not those of a UUIDv7/);
});
