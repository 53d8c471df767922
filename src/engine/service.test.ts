/** Checks the loop: its period, its back-off, and that starting and stopping twice are safe. */
import { expect, test } from 'vitest';
import { createManualClock, rest } from '../../test/support/manual-clock.ts';
import { seededChance } from '../core/chance.ts';
import { createService, type Service, type ServiceReport, type TickResult } from './service.ts';

interface Rig {
  readonly service: Service;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly reports: ServiceReport[];
  readonly ticks: () => number;
}

function rig(tick: (count: number, signal: AbortSignal) => Promise<TickResult> | TickResult): Rig {
  const clock = createManualClock();
  const reports: ServiceReport[] = [];
  let count = 0;
  const service = createService({
    name: 'test',
    periodMs: 1_000,
    clock,
    chance: seededChance(1),
    report: (report) => reports.push(report),
    tick: async (signal) => tick(++count, signal),
  });
  return { service, clock, reports, ticks: () => count };
}

test('the first tick runs at once, the next after about a period', async () => {
  const { service, clock, ticks } = rig(() => 'done');
  service.start();
  await clock.advance(0);
  expect(ticks()).toBe(1);
  await clock.advance(899);
  expect(ticks()).toBe(1);
  await clock.advance(202);
  expect(ticks()).toBe(2);
});

test('a full tick runs again at once', async () => {
  const { service, clock, ticks } = rig((count) => (count < 5 ? 'full' : 'done'));
  service.start();
  await clock.advance(0);
  expect(ticks()).toBe(5);
});

test('a wake during a tick runs one more, however often it came', async () => {
  const gate = Promise.withResolvers<TickResult>();
  const { service, clock, ticks } = rig((count) => (count === 1 ? gate.promise : 'done'));
  service.start();
  await rest();
  for (let i = 0; i < 10; i++) service.wake();
  gate.resolve('done');
  await clock.advance(0);
  expect(ticks()).toBe(2);
});

test('errors are reported, tried again later and later, and end with a word of recovery', async () => {
  const { service, clock, reports, ticks } = rig((count) => {
    if (count <= 4) throw new Error('away');
    return 'done';
  });
  service.start();
  await clock.advance(0);
  service.wake();
  await clock.advance(89);
  expect(ticks()).toBe(1);
  await clock.advance(1_600);
  expect(ticks()).toBeGreaterThanOrEqual(5);
  expect(reports.map((report) => [report.kind, report.failures])).toEqual([
    ['failed', 1],
    ['failed', 2],
    ['failed', 3],
    ['failed', 4],
    ['recovered', 4],
  ]);
});

test('a back-off never grows beyond its maximum', async () => {
  const { service, clock, ticks } = rig(() => {
    throw new Error('away');
  });
  service.start();
  await clock.advance(60_000);
  const before = ticks();
  await clock.advance(30_000);
  expect(ticks() - before).toBeGreaterThanOrEqual(5);
});

test('stop aborts, waits for the tick in flight, and leaves no timer', async () => {
  const gate = Promise.withResolvers<TickResult>();
  let aborted = false;
  const { service, clock } = rig((_, signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return gate.promise;
  });
  service.start();
  await rest();
  let stopped = false;
  const stopping = Promise.all([service.stop(), service.stop()]).then(() => {
    stopped = true;
  });
  await rest();
  expect([aborted, stopped]).toEqual([true, false]);
  gate.resolve('full');
  await stopping;
  expect(clock.timers()).toBe(0);
});

test('two starts are one loop, and a stopped loop starts again only after its last tick', async () => {
  const gate = Promise.withResolvers<TickResult>();
  const { service, clock, ticks } = rig((count) => (count === 1 ? gate.promise : 'done'));
  service.start();
  service.start();
  await rest();
  const stopping = service.stop();
  service.start();
  await rest();
  expect(ticks()).toBe(1);
  gate.resolve('done');
  await stopping;
  await clock.advance(0);
  expect(ticks()).toBe(2);
  await service.stop();
});

test('wakeIn moves the next tick forward, never back', async () => {
  const { service, clock, ticks } = rig(() => 'done');
  service.start();
  await clock.advance(0);
  service.wakeIn(5_000);
  service.wakeIn(100);
  await clock.advance(100);
  expect(ticks()).toBe(2);
});
