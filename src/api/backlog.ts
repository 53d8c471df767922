/** Work that waits for its turn, of many callers. */

export interface Backlog {
  readonly size: number;
  has(caller: string): boolean;
  /** `isFirst`: before what else waits of the same caller. */
  add(caller: string, work: () => void, isFirst?: boolean): void;
  /** Whose turn it is; `undefined` where nothing waits. */
  take(): (() => void) | undefined;
}

/** Callers by turns, the works of each in their order. */
export function createBacklog(): Backlog {
  const works = new Map<string, (() => void)[]>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    has: (caller: string): boolean => works.has(caller),
    add(caller: string, work: () => void, isFirst = false): void {
      size++;
      const own = works.get(caller);
      if (own === undefined) works.set(caller, [work]);
      else if (isFirst) own.unshift(work);
      else own.push(work);
    },
    take(): (() => void) | undefined {
      const [next] = works;
      if (next === undefined) return undefined;
      const [caller, own] = next;
      // Behind the others; it has the next turn where it is alone.
      works.delete(caller);
      const work = own.shift();
      if (own.length > 0) works.set(caller, own);
      size--;
      return work;
    },
  };
}
