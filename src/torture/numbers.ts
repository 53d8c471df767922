/** The numbers of requests: each process, each run that spawns and each second of a schedule has a range of its own. */

/** Requests of one process are numbered from its number times this on. */
export const numbersEach = 2 ** 26;

const ticksFrom = 2 ** 50;
const childrenFrom = 2 ** 44;
const childrenEach = 2;
/** More claims than a task that spawns can have. */
const claimsMax = 32;

/** Of the task that a schedule fires for this time. */
export function tickNumber(atMs: number): number {
  return ticksFrom + Math.floor(atMs / 1_000);
}

/** Of a child of one run of request `n`. */
export function childNumber(n: number, epoch: number, index: number): number {
  return childrenFrom + (n * claimsMax + Math.min(epoch, claimsMax - 1)) * childrenEach + index;
}
