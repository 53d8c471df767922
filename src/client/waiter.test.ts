/** Checks what waiting for results costs the store: looks are counted, on a clock moved by hand. */

import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts';
import type { Signal } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Task } from '../core/task.ts';
import type { EndLog } from './end-log.ts';
import { createWaiter, type Waiter } from './waiter.ts';

let clock: ManualClock;
let looks: string[][];
let listeners: Set<(signal: Signal) => void>;
let done: Set<string>;
let waiter: Waiter;
let log: EndLog | null;
let isAway: boolean;

beforeEach(() => {
  clock = createManualClock();
  looks = [];
  listeners = new Set();
  done = new Set();
  isAway = false;
  const broker = {
    async getTasks(ids: readonly string[]) {
      looks.push([...ids]);
      if (isAway) throw taskFlowError('STORE_UNREACHABLE', { problem: 'it is away' });
      return ids.map((id) => ({ id, state: done.has(id) ? 'succeeded' : 'running' }) as Task);
    },
    subscribe(listener: (signal: Signal) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  log = null;
  waiter = createWaiter(
    async () => broker,
    clock,
    async () => log,
  );
});

function wait(...ids: readonly string[]): Promise<Task[]> {
  return Promise.all(ids.map((id) => waiter.finished(id, 60_000)));
}

function tell(taskIds: readonly string[] | null): void {
  for (const listener of listeners) listener({ kind: 'finished', taskIds });
}

test('a signal costs one look at the tasks it names, however many others are waited for', async () => {
  const ids = Array.from({ length: 500 }, (_, index) => `T${index}`);
  const all = wait(...ids);
  await clock.advance(5);
  looks.length = 0;
  done = new Set(ids);
  tell(['T7', 'unknown']);
  await clock.advance(0);
  expect(looks).toEqual([['T7']]);
  tell(ids);
  await all;
});

test('a signal about others is no reason to look', async () => {
  void wait('mine');
  await clock.advance(5);
  looks.length = 0;
  tell(['other']);
  await clock.advance(1);
  expect(looks).toEqual([]);
});

test('signals that name nobody hurry everybody, but not without end', async () => {
  void wait('a', 'b');
  await clock.advance(10_000);
  looks.length = 0;
  for (let ms = 0; ms < 200; ms++) {
    tell(null);
    await clock.advance(1);
  }
  expect(looks.length).toBeGreaterThan(0);
  expect(looks.length).toBeLessThanOrEqual(200 / limits.resultPollMinMs + 1);
});

test('many who begin to wait one after the other do not make each other look again', async () => {
  void wait('old');
  await clock.advance(10_000);
  looks.length = 0;
  for (let index = 0; index < 100; index++) {
    void wait(`new${index}`);
    await clock.advance(1);
  }
  expect(looks.flat().filter((id) => id === 'old').length).toBeLessThanOrEqual(1);
});

test('without any signal the end is found by looks that grow apart until the poll', async () => {
  const end = wait('a');
  await clock.advance(60_000 / 2);
  expect(looks.length).toBeLessThan(40);
  done.add('a');
  await clock.advance(limits.pollMs);
  expect(await end).toMatchObject([{ id: 'a' }]);
});

test('when nobody waits any more there is neither a listener nor a look', async () => {
  const end = wait('a');
  await clock.advance(1);
  done.add('a');
  tell(['a']);
  await end;
  await clock.advance(0);
  expect(listeners.size).toBe(0);
  looks.length = 0;
  await clock.advance(10_000);
  expect(looks).toEqual([]);
});

describe('where many wait and there is a log of ends', () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `T${index}`);
  let told: (readonly string[] | null)[];
  let reads: number;

  beforeEach(async () => {
    told = [null];
    reads = 0;
    log = {
      async ended() {
        reads++;
        return told.length === 0 ? [] : (told.shift() ?? null);
      },
    };
  });

  test('it is read, and nobody else is looked at', async () => {
    void wait(...ids);
    await clock.advance(2_000);
    looks.length = 0;
    reads = 0;
    await clock.advance(20_000);
    expect(looks).toEqual([]);
    expect(reads).toBeLessThanOrEqual(21);
    done.add('T7');
    told = [['T7', 'somebody else']];
    tell(null);
    await clock.advance(limits.resultPollMinMs);
    expect(looks).toEqual([['T7']]);
  });

  test('whom it names is looked at again when that look fails', async () => {
    void wait(...ids);
    await clock.advance(2_000);
    looks.length = 0;
    done.add('T7');
    told = [['T7']];
    isAway = true;
    tell(null);
    await clock.advance(limits.resultPollMinMs);
    isAway = false;
    await clock.advance(limits.pollMs);
    expect(looks).toEqual([['T7'], ['T7']]);
    await clock.advance(5 * limits.pollMs);
    expect(looks.length).toBe(2);
  });

  test('who begins to wait while a look fails is looked at again', async () => {
    void wait(...ids);
    await clock.advance(2_000);
    isAway = true;
    void wait('new');
    await clock.advance(1);
    isAway = false;
    looks.length = 0;
    await clock.advance(limits.pollMs);
    expect(looks).toEqual([['new']]);
  });

  test('one that names nobody when a signal says that somebody ended has all looked at, once a second', async () => {
    void wait(...ids.slice(0, 50));
    await clock.advance(2_000);
    done = new Set(ids.slice(0, 25));
    looks.length = 0;
    tell(null);
    await clock.advance(2 * limits.resultPollMinMs);
    expect(looks.map((looked) => looked.length)).toEqual([50]);
    for (let ms = 0; ms < 1.5 * limits.pollMs; ms += 10) {
      tell(null);
      await clock.advance(10);
    }
    expect(looks.map((looked) => looked.length)).toEqual([50, 25]);
  });

  test('one that cannot tell has all looked at, as without it', async () => {
    const end = wait(...ids);
    await clock.advance(2_000);
    done = new Set(ids);
    told = [null];
    await clock.advance(limits.pollMs);
    expect((await end).length).toBe(1_000);
  });

  test('one that dies in the middle is noticed, and each is looked at', async () => {
    const end = wait(...ids);
    await clock.advance(2_000);
    log!.ended = () => new Promise(() => {});
    tell(null);
    await clock.advance(limits.resultPollMinMs);
    done = new Set(ids);
    await clock.advance(limits.resultLogLagMs + limits.pollMs);
    expect((await end).length).toBe(1_000);
  });

  test('one that forgets an end is found out', async () => {
    const end = wait(...ids);
    await clock.advance(2_000);
    done = new Set(ids);
    await clock.advance(limits.resultSweepMs + limits.pollMs);
    expect((await end).length).toBe(1_000);
  });
});
