/** Checks that a worker does what people tell it, once each, however often it is told. */

import { expect, test } from 'vitest';
import { createWorkerRig, type WorkerRig } from '../../test/support/worker-rig.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import type { WorkerCommand } from '../core/commands.ts';
import { limits } from '../core/limits.ts';
import type { WorkerRecord } from '../core/presence.ts';
import type { WorkerOptions } from './worker.ts';

/** A worker whose handlers run until the test ends them. */
function createGated(options: Partial<WorkerOptions> = {}) {
  const ends: (() => void)[] = [];
  const rig = createWorkerRig({ a: () => new Promise<void>((resolve) => ends.push(resolve)) }, options);
  rig.worker.start();
  return { ...rig, ends };
}

async function tell({ memory, worker, clock }: WorkerRig, ...commands: readonly WorkerCommand[]): Promise<void> {
  for (const command of commands) await memory.control([worker.id], command);
  await clock.advance(100);
}

/** Stops it without waiting for what still runs. */
async function end({ worker, clock }: WorkerRig): Promise<void> {
  const stopping = worker.stop({ drainMs: 0 });
  await clock.advance(limits.abortMs + 2 * limits.flushMs);
  await stopping;
}

async function recordOf({ memory }: WorkerRig): Promise<WorkerRecord> {
  const [record] = await memory.getWorkers();
  if (record === undefined) throw new Error('The worker is not known.');
  return record;
}

test('a drained worker claims nothing, and what runs runs to its end', async () => {
  const rig = createGated();
  const [first = ''] = await rig.enqueue({ name: 'a' });
  await rig.clock.advance(1_500);
  await tell(rig, { kind: 'drain' });
  const [second = ''] = await rig.enqueue({ name: 'a' });
  await rig.clock.advance(5_000);
  expect(await recordOf(rig)).toMatchObject({ state: 'draining', running: 1, commands: [] });
  rig.ends[0]?.();
  await rig.clock.advance(5_000);
  expect(await rig.task(first)).toMatchObject({ state: 'succeeded' });
  expect(await rig.task(second)).toMatchObject({ state: 'queued', epoch: 0 });
  await end(rig);
});

test('what was claimed ahead goes back uncharged, and nothing of it begins', async () => {
  const rig = createGated({ concurrency: 1, leaseMs: 1_000 });
  // Quick ones teach it to claim ahead.
  const ids = await rig.enqueue(...Array.from({ length: 40 }, () => ({ name: 'a' })));
  for (let ms = 0; ms < 60; ms++) {
    rig.ends.shift()?.();
    await rig.clock.advance(1);
  }
  await tell(rig, { kind: 'drain' });
  const states = await Promise.all(ids.map((id) => rig.task(id)));
  expect(states.filter(({ state }) => state === 'running').length).toBeLessThanOrEqual(1);
  expect(states.filter(({ state }) => state === 'queued').every(({ attempt }) => attempt === 0)).toBe(true);
  await end(rig);
});

test('a resumed worker goes on where it stopped', async () => {
  const rig = createGated();
  await rig.clock.advance(10);
  await tell(rig, { kind: 'drain' });
  const [id = ''] = await rig.enqueue({ name: 'a' });
  await rig.clock.advance(5_000);
  await tell(rig, { kind: 'resume' });
  expect(await rig.task(id)).toMatchObject({ state: 'running' });
  expect(await recordOf(rig)).toMatchObject({ state: 'ready' });
  await end(rig);
});

test('more slots are filled at once, fewer end nobody', async () => {
  const rig = createGated({ concurrency: 2 });
  await rig.enqueue(...Array.from({ length: 9 }, () => ({ name: 'a' })));
  await rig.clock.advance(1_500);
  await tell(rig, { kind: 'scale', concurrency: 5 });
  expect(await recordOf(rig)).toMatchObject({ running: 5, concurrency: 5, queues: { default: 5 } });
  await tell(rig, { kind: 'scale', concurrency: 1 });
  expect(rig.worker.running).toBe(5);
  for (const end of rig.ends.splice(0, 4)) end();
  await rig.clock.advance(3_000);
  expect(rig.worker.running).toBe(1);
  rig.ends[0]?.();
  await rig.clock.advance(3_000);
  expect(rig.worker.running).toBe(1);
  await end(rig);
});

test('a stack tells what each slot runs, for how long, and its last words', async () => {
  const rig = createWorkerRig({
    talks: (_input, context) => {
      context.log.info('connecting');
      context.progress(3, 9, 'rows');
      return new Promise(() => undefined);
    },
    silent: () => new Promise(() => undefined),
  });
  rig.worker.start();
  const [talks, silent] = await rig.enqueue({ name: 'talks' }, { name: 'silent', delayMs: 4_000 });
  await rig.clock.advance(4_000);
  await rig.memory.promote(10);
  await rig.clock.advance(2_000);
  await tell(rig, { kind: 'stack' });
  const { stack } = await recordOf(rig);
  expect(stack).toMatchObject({ answers: 1, loop: null });
  expect(stack?.slots).toMatchObject([
    { taskId: talks, name: 'talks', doing: '3 of 9, rows' },
    { taskId: silent, name: 'silent', doing: null },
  ]);
  expect(stack?.slots[0]?.ranMs).toBeGreaterThanOrEqual(5_000);
  await end(rig);
});

test('a command that comes again because a reply was lost is obeyed once', async () => {
  const rig = createGated();
  const told: string[] = [];
  rig.worker.on('command', ({ command }) => told.push(command.kind));
  await rig.clock.advance(10);
  await rig.memory.control([rig.worker.id], { kind: 'drain' });
  let losses = 3;
  rig.faults.loseReply = (method) => method === 'heartbeat' && losses-- > 0;
  await rig.clock.advance(limits.presenceMs);
  expect(told).toEqual(['drain']);
  expect(await recordOf(rig)).toMatchObject({ state: 'draining', commands: [] });
  await end(rig);
});

test('with the signal lost the next heartbeat brings the command', async () => {
  const rig = createGated();
  await rig.clock.advance(10);
  // Signals reach those on the same connection only.
  const { state } = rig.memory as ReturnType<typeof createMemoryBroker>;
  const elsewhere = createMemoryBroker({ now: rig.clock.now, chance: seededChance(1), state });
  await elsewhere.control([rig.worker.id], { kind: 'drain' });
  await rig.clock.advance(limits.presenceMs / 2);
  expect(await recordOf(rig)).toMatchObject({ state: 'draining' });
  await end(rig);
});

test('commands are obeyed in the order in which they were given', async () => {
  const rig = createGated({ concurrency: 2 });
  const told: string[] = [];
  rig.worker.on('command', ({ command }) => told.push(command.kind));
  await rig.clock.advance(10);
  await tell(rig, { kind: 'scale', concurrency: 3 }, { kind: 'stack' }, { kind: 'restart' });
  expect(told).toEqual(['scale', 'stack', 'restart']);
  expect(await recordOf(rig)).toMatchObject({ state: 'draining', concurrency: 3 });
  await end(rig);
});

test('a stopping worker takes no command that would start work again', async () => {
  const rig = createGated();
  await rig.enqueue({ name: 'a' }, { name: 'a' });
  await rig.clock.advance(1_500);
  const stopping = rig.worker.stop({ drainMs: 10_000 });
  await tell(rig, { kind: 'resume' });
  const [late = ''] = await rig.enqueue({ name: 'a' });
  await rig.clock.advance(2_000);
  expect(await rig.task(late)).toMatchObject({ state: 'queued' });
  for (const end of rig.ends) end();
  await rig.clock.advance(1_000);
  await stopping;
});
