/** Checks what the loop does with the guard's thread on a clock moved by hand: when it begins, and when it is begun again. */

import { EventEmitter } from 'node:events';
import { beforeEach, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts';
import type { Presence } from '../core/presence.ts';
import type { ServiceReport } from '../engine/service.ts';
import { ClaimRing } from './claim-ring.ts';
import { createGuard, type Guard, type GuardThread, type HeldTask } from './guard.ts';
import type { GuardData, GuardOrder } from './guard-thread.ts';
import { readHeld } from './guard-watch.ts';

class FakeThread extends EventEmitter {
  readonly orders: GuardOrder[] = [];
  readonly #ring: ClaimRing;
  constructor(data: GuardData) {
    super();
    this.#ring = new ClaimRing(data.claims);
  }
  postMessage(order: GuardOrder): void {
    this.orders.push(order);
  }
  ref(): void {}
  unref(): void {}
  async terminate(): Promise<number> {
    return 0;
  }
  /** The ids of what it was told of, claim by claim. */
  told(): string[] {
    const orders = this.orders.flatMap((order) => (order.kind === 'hold' ? [order.claim] : []));
    return [...orders, ...this.#ring.read()].map((claim) => readHeld(claim).taskIds.join(' '));
  }
  /** As an uncaught error does. */
  die(): void {
    this.emit('error', new Error('out of memory'));
    this.emit('exit', 1);
  }
}

let clock: ManualClock;
let threads: FakeThread[];
let reports: string[];
let held: HeldTask[];
let refuse: boolean;
let guard: Guard;

const leaseMs = 30_000;
const claimed = (id: string): HeldTask => ({
  task: { id, epoch: 1 } as HeldTask['task'],
  lease: { taskId: id, token: `of-${id}`, epoch: 1 },
  runMs: null,
});

beforeEach(() => {
  clock = createManualClock();
  [threads, reports, held, refuse] = [[], [], [], false];
  const say = ({ kind, failures }: ServiceReport): void => void reports.push(`${kind} ${failures}`);
  const startThread = (data: GuardData): GuardThread => {
    if (refuse) throw new Error('no more threads');
    const thread = new FakeThread(data);
    threads.push(thread);
    return thread as unknown as GuardThread;
  };
  guard = createGuard(
    {
      address: { module: 'm', url: 'u' },
      clock,
      leaseMs,
      trustMs: 0.9 * leaseMs,
      blockMaxMs: 600_000,
      names: ['a'],
      presence: () => ({}) as Presence,
      slots: () => [],
      held: () => held,
      onStandstill: () => undefined,
      report: say,
    },
    startThread,
  );
  guard.start();
});

function claim(id: string): void {
  held.push(claimed(id));
  guard.hold([claimed(id)]);
}

test('the thread begins with the first claim', async () => {
  await clock.advance(60_000);
  expect(threads).toHaveLength(0);
  claim('T1');
  expect(threads[0]?.told()).toEqual(['T1']);
});

test('claims are told without a message, which would wake the thread, unless there is no room for them', async () => {
  claim('T1');
  claim('T2');
  claim('T'.repeat(2_000_000));
  expect(threads[0]?.orders).toHaveLength(2);
  expect(threads[0]?.told().map((ids) => ids.length)).toEqual([2, 2_000_000, 2]);
});

test('a thread that died is followed by another one that knows all that is held', async () => {
  claim('T1');
  claim('T2');
  threads[0]?.die();
  await clock.advance(2_000);
  expect(threads[1]?.told()).toEqual(['T1', 'T2']);
  expect(reports).toEqual(['failed 1']);
});

test('while nothing is held no thread is begun', async () => {
  claim('T1');
  held = [];
  threads[0]?.die();
  await clock.advance(60_000);
  expect(threads).toHaveLength(1);
});

test('a thread that cannot be started is no error of the claim, and is tried again', async () => {
  refuse = true;
  expect(() => claim('T1')).not.toThrow();
  await clock.advance(3_000);
  refuse = false;
  await clock.advance(6_000);
  expect(reports.at(0)).toBe('failed 1');
  expect(threads[0]?.told()).toEqual(['T1']);
});

test('one that dies again and again is begun later each time', async () => {
  claim('T1');
  const startedAt: number[] = [];
  for (let round = 0; round < 8; round++) {
    threads.at(-1)?.die();
    const [before, diedAt] = [threads.length, clock.elapsed()];
    while (threads.length === before) await clock.advance(100);
    startedAt.push(clock.elapsed() - diedAt);
  }
  expect(startedAt[0]).toBeLessThan(2_000);
  expect(startedAt.at(-1)).toBeGreaterThan(4_500);
  expect(startedAt.at(-1)).toBeLessThan(6_000);
});

test('after a minute of health it is told as recovered, and the next death is the first again', async () => {
  claim('T1');
  for (let round = 0; round < 3; round++) {
    threads.at(-1)?.die();
    await clock.advance(6_000);
  }
  await clock.advance(61_000);
  threads.at(-1)?.die();
  expect(reports).toEqual(['failed 1', 'failed 2', 'failed 3', 'recovered 3', 'failed 1']);
});
