/** The scheduler over a memory store: in time, once whoever fires, through outages and steps of the clock. */

import { expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts';
import { scheduleDefinition } from '../../test/support/schedule-samples.ts';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import type { MemoryState } from '../broker/memory/state.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { newSchedule, type ScheduleDefinition } from '../core/schedule.ts';
import { createScheduler } from './scheduler.ts';
import type { Report, Service } from './service.ts';

interface Rig {
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly scheduler: Service;
  readonly state: MemoryState;
  /** How far the store's clock stands before ours. */
  storeAheadMs: number;
  /** How often the store was asked for what is due. */
  looks: number;
  /** The store is away; or its replies are lost after each firing. */
  fault: 'none' | 'away' | 'replies lost';
  put(name: string, given?: Partial<ScheduleDefinition>): Promise<void>;
  /** The times that were fired, in minutes after the start, with when the task was enqueued when that is later. */
  fired(name: string): readonly string[];
}

function createRig(
  more: { readonly schedulers?: number; readonly report?: Report } = {},
): Rig & { readonly schedulers: readonly Service[] } {
  const clock = createManualClock();
  const start = clock.now();
  const chance = seededChance(5);
  const memory = createMemoryBroker({ now: () => clock.now() + rig.storeAheadMs, chance });
  const due: Broker['schedules']['due'] = async (limit) => {
    rig.looks += 1;
    if (rig.fault === 'away') throw taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
    return await memory.schedules.due(limit);
  };
  const fire: Broker['schedules']['fire'] = async (firings) => {
    const results = await memory.schedules.fire(firings);
    if (rig.fault === 'replies lost') throw taskFlowError('STORE_UNREACHABLE', { problem: 'lost' });
    return results;
  };
  const broker: Broker = { ...memory, schedules: { ...memory.schedules, due, fire } };
  const schedulers = Array.from({ length: more.schedulers ?? 1 }, () =>
    createScheduler(broker, { clock, chance, report: more.report ?? (() => undefined) }),
  );
  const rig: Rig & { readonly schedulers: readonly Service[] } = {
    clock,
    broker,
    schedulers,
    scheduler: schedulers[0]!,
    state: memory.state,
    storeAheadMs: 0,
    looks: 0,
    fault: 'none',
    async put(name, given) {
      const { now } = await memory.info();
      await memory.schedules.put([newSchedule(name, scheduleDefinition(given), now)]);
    },
    fired: (name) =>
      [...memory.state.rows.values()]
        .filter(({ task }) => task.firedBy?.schedule === name)
        .map(({ task }) => [task.firedBy?.at ?? 0, task.createdAt] as const)
        .sort(([left], [right]) => left - right)
        .map(([at, createdAt]) => {
          const minutes = (time: number) => (time - start) / 60_000;
          return createdAt === at ? `${minutes(at)}` : `${minutes(at)} at ${minutes(createdAt)}`;
        }),
  };
  return rig;
}

test('a schedule is fired at its time, to the millisecond where nothing is in the way', async () => {
  const rig = createRig();
  await rig.put('s');
  rig.scheduler.start();
  await rig.clock.advance(3.5 * 60_000);
  expect(rig.fired('s')).toEqual(['1', '2', '3']);
  await rig.scheduler.stop();
  expect(rig.clock.timers()).toBe(0);
});

test('a schedule that is stored while it sleeps is noticed at once', async () => {
  const rig = createRig();
  rig.scheduler.start();
  await rig.clock.advance(500);
  await rig.put('s', { timing: { everyMs: 1_000 } });
  await rig.clock.advance(600);
  expect(rig.fired('s')).toHaveLength(1);
  await rig.scheduler.stop();
});

test('several schedulers fire each time once', async () => {
  const rig = createRig({ schedulers: 5 });
  await rig.put('s');
  await rig.put('t');
  for (const scheduler of rig.schedulers) scheduler.start();
  await rig.clock.advance(3.5 * 60_000);
  expect([rig.fired('s'), rig.fired('t')]).toEqual([
    ['1', '2', '3'],
    ['1', '2', '3'],
  ]);
  for (const scheduler of rig.schedulers) await scheduler.stop();
});

test('an outage is no end: what is still on time is fired, what is not is told as missed', async () => {
  const rig = createRig();
  await rig.put('s');
  rig.scheduler.start();
  await rig.clock.advance(60_500);
  rig.fault = 'away';
  await rig.clock.advance(3.4 * 60_000);
  rig.fault = 'none';
  await rig.clock.advance(limits.backoffMaxMs * 1.1 + 60_000);
  expect(rig.fired('s').map((time) => time.split(' ')[0])).toEqual(['1', '4', '5']);
  const [schedule] = await rig.broker.schedules.get(['s']);
  expect(schedule?.recent.map(({ skipped, count }) => [skipped, count])).toEqual([
    [null, 1],
    [null, 1],
    ['missed', 2],
    [null, 1],
  ]);
  await rig.scheduler.stop();
});

test('lost replies fire nothing twice', async () => {
  const rig = createRig();
  await rig.put('s', { catchUp: { kind: 'latest' } });
  rig.scheduler.start();
  rig.fault = 'replies lost';
  await rig.clock.advance(2.5 * 60_000);
  expect(rig.fired('s')).toEqual(['1', '2']);
  await rig.scheduler.stop();
});

test('a store’s clock that steps forward is noticed within the poll', async () => {
  const rig = createRig();
  await rig.put('s', { timing: { everyMs: 3_600_000 }, catchUp: { kind: 'latest' } });
  rig.scheduler.start();
  await rig.clock.advance(60_000);
  rig.storeAheadMs = 3_600_000;
  await rig.clock.advance(limits.schedulePollMs * 1.1 + 1);
  expect(rig.fired('s')).toHaveLength(1);
  await rig.scheduler.stop();
});

test('a store’s clock that steps back fires nothing again, and goes on where it was', async () => {
  const rig = createRig();
  await rig.put('s');
  rig.scheduler.start();
  await rig.clock.advance(2.5 * 60_000);
  rig.storeAheadMs = -90_000;
  await rig.clock.advance(60_000);
  expect(rig.fired('s')).toEqual(['1', '2']);
  await rig.clock.advance(2.2 * 60_000);
  expect(rig.fired('s').map((time) => time.split(' ')[0])).toEqual(['1', '2', '3', '4']);
  await rig.scheduler.stop();
});

test('more than fit into one look are all fired in one go', async () => {
  const rig = createRig();
  const names = Array.from({ length: limits.schedulesPerTickMax * 2 + 7 }, (_, number) => `s${number}`);
  const { now } = await rig.broker.info();
  for (let at = 0; at < names.length; at += limits.batchMax)
    await rig.broker.schedules.put(
      names.slice(at, at + limits.batchMax).map((name) => newSchedule(name, scheduleDefinition(), now)),
    );
  rig.scheduler.start();
  await rig.clock.advance(60_010);
  expect(names.filter((name) => rig.fired(name).join() !== '1')).toEqual([]);
  await rig.scheduler.stop();
});

test('large inputs are sent in calls that the seam takes', async () => {
  const rig = createRig();
  const { task } = scheduleDefinition();
  const payload = JSON.stringify('x'.repeat(limits.payloadBytesMax - 2));
  for (let number = 0; number < 6; number += 1) await rig.put(`s${number}`, { task: { ...task, payload } });
  rig.scheduler.start();
  await rig.clock.advance(60_010);
  expect([0, 1, 2, 3, 4, 5].map((number) => rig.fired(`s${number}`))).toEqual(Array.from({ length: 6 }, () => ['1']));
  await rig.scheduler.stop();
});

const unreadable = {
  'a zone that this machine does not know': '{"timing":{"cron":"* * * * *","timezone":"Mars/Olympus"},"jitterMs":0}',
  'words of a later version': '{"timing":{"moon":"full"}}',
  'no JSON': '{',
};

test.each(Object.entries(unreadable))(
  'a schedule with %s holds up no other, and is told once',
  async (_, definition) => {
    const told: string[] = [];
    const rig = createRig({
      report: (report) => told.push(report.kind === 'failed' ? String(report.error) : report.kind),
    });
    const { now } = await rig.broker.info();
    await rig.broker.schedules.put([{ name: 'bad', definition, next: { at: now + 1, dueAt: now + 1 } }]);
    await rig.put('good');
    rig.scheduler.start();
    await rig.clock.advance(2.5 * 60_000);
    expect(rig.fired('good')).toEqual(['1', '2']);
    expect(told).toEqual([expect.stringContaining('Schedule bad')]);
    expect(rig.looks).toBeLessThan(30);
    await rig.scheduler.stop();
  },
);

test('a firing that the store refuses holds up no other', async () => {
  const rig = createRig();
  const { now } = await rig.broker.info();
  const next = { at: now + 60_000, dueAt: now + 60_000 };
  const { task, ...rest } = scheduleDefinition();
  const definition = JSON.stringify({ ...rest, task: { ...task, limits: [{ name: 'l', max: 0, rate: null }] } });
  await rig.broker.schedules.put([{ name: 'bad', definition, next }]);
  await rig.put('good');
  await rig.put('other');
  rig.scheduler.start();
  await rig.clock.advance(2.5 * 60_000);
  expect([rig.fired('good'), rig.fired('other')]).toEqual([
    ['1', '2'],
    ['1', '2'],
  ]);
  expect(rig.looks).toBeLessThan(30);
  await rig.scheduler.stop();
});
