/** A set of whole numbers that takes one bit for each: which of millions of requests are over and forgotten. */

export interface Marks {
  add(n: number): void;
  has(n: number): boolean;
}

const blockBits = 32_768;

/** Numbers that are close together share memory. */
export function createMarks(): Marks {
  const blocks = new Map<number, Uint32Array>();
  return {
    add(n) {
      const block = Math.floor(n / blockBits);
      let bits = blocks.get(block);
      if (bits === undefined) {
        bits = new Uint32Array(blockBits / 32);
        blocks.set(block, bits);
      }
      const at = n % blockBits;
      bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
    },
    has(n) {
      const at = n % blockBits;
      return ((blocks.get(Math.floor(n / blockBits))?.[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0;
    },
  };
}
