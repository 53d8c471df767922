/** Chance by number: the same task each time, without keeping anything. */

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export interface NumberChance {
  /** From 0 to 1. */
  share(): number;
  /** A UUIDv7 as it is written, of this millisecond. */
  id(at: number): string;
}

export function pack(number: number): NumberChance {
  let state = (number * 0x9e3779b1 + 0x7f4a7c15) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    share: () => next() / 4_294_967_296,
    id: (at) => {
      // 128 bits in 26 letters: 48 of time, the version, 74 of chance. The first letter has two bits of nothing before it.
      let value = (BigInt(at) << 80n) | (7n << 76n) | (BigInt(next() & 0xfff) << 64n) | (2n << 62n);
      value |= (BigInt(next() & 0x3fffffff) << 32n) | BigInt(next());
      let text = '';
      for (let shift = 125n; shift >= 0n; shift -= 5n) text += alphabet[Number((value >> shift) & 31n)];
      return text;
    },
  };
}
