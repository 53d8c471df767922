/** Virtual time: one heap of events, and everything an event sets off comes to rest before the next one. */

import type { Cancel } from '../../src/core/time.ts';

export interface Timeline {
  /** Milliseconds since the world began. */
  readonly now: number;
  /** Events that have happened. */
  readonly steps: number;
  /** Runs `callback` at `at`; what is past runs next. Equal times keep their order. */
  at(at: number, callback: () => void): Cancel;
  /** Runs events up to `until`, or until `isOver` holds; the time then is the last event's, or `until`. */
  run(until: number, isOver?: () => boolean): Promise<void>;
  /** Something goes on outside of the world: what an event sets off is not at rest before it has ended. */
  hold<Answer>(call: Promise<Answer>): Promise<Answer>;
  /** Gives the turns of the event loop back to their owner. */
  close(): void;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | null;
}

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  const turns = takeTurns();
  let now = 0;
  let order = 0;
  let steps = 0;

  function at(when: number, callback: () => void): Cancel {
    const entry: Entry = { at: Math.max(now, when), order: order++, callback };
    push(heap, entry);
    return () => {
      entry.callback = null;
    };
  }

  async function run(until: number, isOver: () => boolean = () => false): Promise<void> {
    await turns.drain();
    for (let next = heap[0]; next !== undefined && next.at <= until; next = heap[0]) {
      pop(heap);
      if (next.callback === null) continue;
      now = next.at;
      steps += 1;
      next.callback();
      await turns.drain();
      if (isOver()) return;
    }
    now = until;
  }

  return {
    get now() {
      return now;
    },
    get steps() {
      return steps;
    },
    at,
    run,
    hold: turns.hold,
    close: turns.giveBack,
  };
}

/**
 * Takes the turns of the event loop into the simulation's own hands: the sources ask for them with `setImmediate`, and
 * only who owns that queue can tell when nothing more is going to happen. `drain` runs promises and turns to their end.
 */
function takeTurns(): { drain(): Promise<void>; hold: Timeline['hold']; giveBack(): void } {
  const owner = globalThis.setImmediate;
  const queue: (() => void)[] = [];
  const take = (callback: (...given: unknown[]) => void, ...given: unknown[]): void => {
    queue.push(() => callback(...given));
  };
  globalThis.setImmediate = take as unknown as typeof setImmediate;
  let outside = 0;
  let onRest = (): void => undefined;
  return {
    hold(call) {
      outside += 1;
      const end = (): void => {
        outside -= 1;
        if (outside === 0) onRest();
      };
      call.then(end, end);
      return call;
    },
    async drain() {
      for (;;) {
        // A tick comes when no promise has anything left to do.
        await new Promise<void>((resolve) => process.nextTick(resolve));
        if (outside > 0) {
          await new Promise<void>((resolve) => (onRest = resolve));
          continue;
        }
        const turn = queue.shift();
        if (turn === undefined) return;
        turn();
      }
    },
    giveBack() {
      globalThis.setImmediate = owner;
    },
  };
}

const isBefore = (left: Entry, right: Entry): boolean =>
  left.at < right.at || (left.at === right.at && left.order < right.order);

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!isBefore(entry, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = entry;
}

/** Takes the first entry out. */
function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
    if (!isBefore(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
}
