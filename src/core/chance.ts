/** Chance as a dependency: the one place where the process's randomness is touched. */

/** A source of randomness: `float` is uniform in [0, 1), `bytes` are fit for tokens that must not be guessed. */
export interface Chance {
  float(): number;
  bytes(count: number): Uint8Array;
}

/** Bytes drawn from the system at a time: a call for the few of a token costs as much as one for a page of them. */
const poolBytes = 2_048;

/** The randomness of this process. */
export const systemChance: Chance = {
  float: () => Math.random(),
  bytes: createBytes(),
};

function createBytes(): Chance['bytes'] {
  let pool = new Uint8Array(0);
  let used = 0;
  return (count) => {
    if (count > poolBytes / 8) return crypto.getRandomValues(new Uint8Array(count));
    if (used + count > pool.length) {
      pool = crypto.getRandomValues(new Uint8Array(poolBytes));
      used = 0;
    }
    used += count;
    // A copy: what was given away must not be seen, or changed, from elsewhere.
    return pool.slice(used - count, used);
  };
}

const hexDigits: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A lease or judge token: 128 random bits as 32 lower-case hex digits. */
export function createToken(chance: Chance): string {
  let text = '';
  for (const byte of chance.bytes(16)) text += hexDigits[byte];
  return text;
}

/** A reproducible source for tests and simulation: the same seed gives the same sequence (mulberry32). */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { float, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(float() * 256)) };
}
