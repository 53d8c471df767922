/** Tests keys, sessions, delays and the audit on a database in memory. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestAccess, type TestAccess } from '../../test/support/access.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import type { AuditBegin, NewKey } from '../core/access.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { createAccess } from './access.ts';
import { delayMs } from './throttle.ts';
import { parseToken, tokenOf } from './token.ts';

const startAt = Date.UTC(2026, 10, 23, 9, 0, 0);
let clock: ReturnType<typeof createManualClock>;
let rig: TestAccess;

beforeEach(async () => {
  clock = createManualClock(startAt);
  rig = await createTestAccess(clock);
});
afterEach(() => rig.close());

const newKey = (more: Partial<NewKey> = {}): NewKey => ({
  kind: 'api',
  label: 'shop',
  role: 'operator',
  scopes: ['enqueue'],
  queues: null,
  createdBy: 'ada',
  expiresInMs: null,
  ...more,
});

/** Everything the tables hold, as text. */
async function contents(): Promise<string> {
  const tables = ['access_keys', 'access_sessions', 'access_links', 'access_tries', 'audit'];
  const rows = await rig.driver.read((tx) => Promise.all(tables.map((table) => tx.filter(`SELECT * FROM ${table}`))));
  return JSON.stringify(rows);
}

describe('keys', () => {
  test('are let in with their token, and found by nothing that differs from it', async () => {
    const { keys } = rig.access;
    const { key, token } = await keys.create(newKey({ queues: ['email.*'] }));
    expect(token).toMatch(/^tf_api_[0-9A-Z]{26}_[0-9a-f]{64}$/);
    expect(await keys.verify(token)).toMatchObject({
      id: key.id,
      label: 'shop',
      scopes: ['enqueue'],
      queues: ['email.*'],
    });
    const parts = parseToken(token)!;
    const wrong = [
      tokenOf({ ...parts, kind: 'user' }),
      tokenOf({ ...parts, secret: `${parts.secret.slice(1)}0` }),
      tokenOf({ ...parts, id: `${parts.id.slice(0, -1)}0` }),
      token.toUpperCase(),
      `${token} `,
      '',
      'tf_api__',
    ];
    for (const one of wrong) expect(await keys.verify(one)).toBeNull();
  });

  test('leave no secret in the store, nor do sessions and links', async () => {
    const { keys, sessions } = rig.access;
    const { key, token } = await keys.create(newKey());
    const { secret } = await sessions.begin({ keyId: key.id, address: '::1', agent: 'a browser' });
    const link = await sessions.createLink(key.id);
    const text = await contents();
    for (const one of [parseToken(token)!.secret, secret, link]) expect(text).not.toContain(one);
    expect(text).toContain(key.id);
  });

  test('are refused when they are revoked: here at once, elsewhere within five seconds', async () => {
    const { keys } = rig.access;
    const elsewhere = rig.other().keys;
    const { key, token } = await keys.create(newKey());
    expect(await elsewhere.verify(token)).not.toBeNull();
    expect(await elsewhere.isValid(key.id)).toBe(true);
    const revoked = await keys.revoke(key.id);
    expect(revoked?.revokedAt).toBe(startAt);
    expect(await keys.verify(token)).toBeNull();
    await clock.advance(4_999);
    expect([await elsewhere.verify(token), await elsewhere.isValid(key.id)]).toEqual([null, false]);
    await keys.revoke(key.id);
    expect((await keys.list(null, 10))[0]?.revokedAt).toBe(startAt);
    expect(await keys.revoke('nobody')).toBeNull();
  });

  test('end with their time, also for who knew them before', async () => {
    const { keys } = rig.access;
    const { token } = await keys.create(newKey({ expiresInMs: 1_000 }));
    expect(await keys.verify(token)).not.toBeNull();
    await clock.advance(1_000);
    expect(await keys.verify(token)).toBeNull();
  });

  test('tell to the minute when they were used last', async () => {
    const { keys } = rig.access;
    const { token } = await keys.create(newKey());
    await keys.verify(token);
    await clock.advance(30_000);
    await keys.verify(token);
    expect((await keys.list(null, 1))[0]?.lastUsedAt).toBe(startAt);
    await clock.advance(30_000);
    await keys.verify(token);
    expect((await keys.list(null, 1))[0]?.lastUsedAt).toBe(startAt + 60_000);
  });

  test('the first is made once, whoever asks at the same time', async () => {
    const first = newKey({ role: 'admin', scopes: null });
    const made = await Promise.all([1, 2, 3].map(() => rig.access.keys.createFirst(first)));
    expect(made.filter((one) => one !== null)).toHaveLength(1);
    await rig.access.keys.revoke(made.find((one) => one !== null)!.key.id);
    expect(await rig.access.keys.createFirst(first)).toBeNull();
  });

  test('are listed newest first in pages', async () => {
    const { keys } = rig.access;
    for (const label of ['a', 'b', 'c']) {
      await keys.create(newKey({ label }));
      await clock.advance(1);
    }
    const page = await keys.list(null, 2);
    expect(page.map(({ label }) => label)).toEqual(['c', 'b']);
    expect((await keys.list(page[1]!.id, 2)).map(({ label }) => label)).toEqual(['a']);
  });

  test('go on for seconds while the store is away, and not longer', async () => {
    let isAway = false;
    const away = async () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'gone' }));
    const driver = {
      ...rig.driver,
      readOne: (...args: Parameters<typeof rig.driver.readOne>) => (isAway ? away() : rig.driver.readOne(...args)),
    } as typeof rig.driver;
    const { keys } = createAccess({ driver, clock, chance: seededChance(3) });
    const { token } = await keys.create(newKey());
    const unknown = await keys.create(newKey());
    await keys.verify(token);
    isAway = true;
    await clock.advance(limits.accessStaleMs - 1);
    expect(await keys.verify(token)).not.toBeNull();
    await expect(keys.verify(unknown.token)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await clock.advance(1);
    await expect(keys.verify(token)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });
});

describe('sessions', () => {
  const begin = async () => {
    const { key, token } = await rig.access.keys.create(newKey({ kind: 'user', role: 'admin', scopes: null }));
    const { session, secret } = await rig.access.sessions.begin({ keyId: key.id, address: '127.0.0.1', agent: 'test' });
    return { key, token, session, secret };
  };

  test('are found by their secret, with the key they belong to', async () => {
    const { key, session, secret } = await begin();
    expect(await rig.access.sessions.find(secret)).toMatchObject({ session: { id: session.id }, key: { id: key.id } });
    expect(await rig.access.sessions.find(`${secret.slice(1)}0`)).toBeNull();
  });

  test('end after half an hour without use, and after twelve hours in any case', async () => {
    const { secret } = await begin();
    await clock.advance(limits.sessionIdleMs - 1);
    expect(await rig.access.sessions.find(secret)).not.toBeNull();
    await clock.advance(limits.sessionIdleMs);
    expect(await rig.access.sessions.find(secret)).toBeNull();
    const other = await begin();
    for (let at = 0; at < limits.sessionMs - 1; at += 20 * 60_000) {
      expect(await rig.access.sessions.find(other.secret)).not.toBeNull();
      await clock.advance(20 * 60_000);
    }
    expect(await rig.access.sessions.find(other.secret)).toBeNull();
  });

  test('end when they are ended, and with their key, elsewhere within five seconds', async () => {
    const [one, two] = [await begin(), await begin()];
    const elsewhere = rig.other().sessions;
    for (const { secret } of [one, two]) expect(await elsewhere.find(secret)).not.toBeNull();
    expect([await rig.access.sessions.end(one.session.id), await rig.access.sessions.end(one.session.id)]).toEqual([
      true,
      false,
    ]);
    await rig.access.keys.revoke(two.key.id);
    await clock.advance(4_999);
    expect([await elsewhere.find(one.secret), await elsewhere.find(two.secret)]).toEqual([null, null]);
    expect([await elsewhere.isValid(one.session.id), await elsewhere.isValid(two.session.id)]).toEqual([false, false]);
  });

  test('begin by a link once, and soon', async () => {
    const { key } = await begin();
    const { sessions } = rig.access;
    const [link, late] = [await sessions.createLink(key.id), await sessions.createLink(key.id)];
    expect((await sessions.useLink(link))?.id).toBe(key.id);
    expect(await sessions.useLink(link)).toBeNull();
    await clock.advance(limits.loginLinkMs);
    expect(await sessions.useLink(late)).toBeNull();
  });
});

describe('who guesses', () => {
  test('waits longer with each failure, in all servers together', async () => {
    const names = ['address:203.0.113.9', 'key:A'];
    const { throttle } = rig.access;
    for (let n = 1; n < limits.triesFree; n++) await throttle.failed(names);
    expect(await throttle.waitMs(names)).toBe(0);
    await throttle.failed(names);
    expect(await rig.other().throttle.waitMs(names)).toBe(1_000);
    await throttle.failed(names);
    expect(await throttle.waitMs(['key:A'])).toBe(2_000);
    expect(await throttle.waitMs(['address:198.51.100.1', 'key:B'])).toBe(0);
    await clock.advance(2_000);
    expect(await throttle.waitMs(names)).toBe(0);
  });

  test('is never kept out for good, and an account never for long', async () => {
    expect([delayMs('key:A', 1_000), delayMs('address:x', 1_000)]).toEqual([30_000, 900_000]);
    for (let n = 0; n < 10; n++) await rig.access.throttle.failed(['key:A']);
    await clock.advance(limits.triesKeepMs + 1);
    await rig.access.throttle.failed(['key:A']);
    expect(await rig.access.throttle.waitMs(['key:A'])).toBe(0);
  });

  test('is forgotten who was right', async () => {
    for (let n = 0; n < 8; n++) await rig.access.throttle.failed(['key:A']);
    await rig.access.throttle.succeeded(['key:A']);
    expect(await rig.access.throttle.waitMs(['key:A'])).toBe(0);
  });
});

describe('the audit', () => {
  const entry = (more: Partial<AuditBegin> = {}): AuditBegin => ({
    actor: 'ada',
    keyId: null,
    address: '127.0.0.1',
    requestId: null,
    operation: 'queue.pause',
    text: 'paused queue email',
    input: { name: 'email' },
    before: null,
    ...more,
  });
  const query = { actor: null, operation: null, from: null, to: null, after: null, limit: 100 };

  test('has a row before the end is known, and then its end', async () => {
    const { audit } = rig.access;
    const [id, other] = await Promise.all([audit.begin(entry()), audit.begin(entry({ actor: 'bob' }))]);
    expect(await audit.list(query)).toMatchObject([{ outcome: null }, { outcome: null }]);
    audit.end(id, { outcome: 'done', after: { state: 'paused' } });
    audit.end(other, { outcome: 'QUEUE_NOT_FOUND', after: null });
    expect(await audit.list({ ...query, actor: 'ada' })).toMatchObject([
      {
        id,
        actor: 'ada',
        text: 'paused queue email',
        input: { name: 'email' },
        outcome: 'done',
        after: { state: 'paused' },
      },
    ]);
    expect(await audit.list({ ...query, actor: 'bob' })).toMatchObject([{ outcome: 'QUEUE_NOT_FOUND' }]);
  });

  test('is searched by who, what and when, in pages', async () => {
    const { audit } = rig.access;
    for (let n = 0; n < 5; n++) {
      await audit.begin(entry({ operation: n % 2 === 0 ? 'queue.pause' : 'task.cancel', text: `${n}` }));
      await clock.advance(1_000);
    }
    const texts = async (more: object) => (await audit.list({ ...query, ...more })).map(({ text }) => text);
    expect(await texts({ operation: 'task.cancel' })).toEqual(['3', '1']);
    expect(await texts({ from: startAt + 1_000, to: startAt + 3_000 })).toEqual(['2', '1']);
    const first = await audit.list({ ...query, limit: 2 });
    expect(await texts({ after: first[1]!.id, limit: 2 })).toEqual(['2', '1']);
  });

  test('keeps the beginning of what is long', async () => {
    const { audit } = rig.access;
    await audit.begin(entry({ input: { text: 'x'.repeat(100_000) }, text: 'y'.repeat(100_000) }));
    const [row] = await audit.list(query);
    expect(JSON.stringify(row).length).toBeLessThan(3 * limits.auditTextMax);
    expect(row?.input).toMatchObject({ cut: expect.stringContaining('{"text":"xxx') });
  });

  test('stores many at once, and forgets the old', async () => {
    const { audit } = rig.access;
    const ids = await Promise.all(Array.from({ length: 1_200 }, () => audit.begin(entry())));
    expect(new Set(ids).size).toBe(1_200);
    await clock.advance(10_000);
    await audit.begin(entry({ text: 'young' }));
    const pruned = [
      await audit.prune(5_000),
      await audit.prune(5_000),
      await audit.prune(5_000),
      await audit.prune(5_000),
    ];
    expect(pruned).toEqual([500, 500, 200, 0]);
    expect(await audit.list(query)).toMatchObject([{ text: 'young' }]);
  });
});
