/** Checks that a step runs once, that its handler waits for the store, and what happens when the store will not have it. */
import { expect, test } from 'vitest';
import { rest } from '../../test/support/manual-clock.ts';
import { createWorkerRig, type Handler, type WorkerRig } from '../../test/support/worker-rig.ts';
import type { Context } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';

/** Runs one task until it is at rest; `ran` lists what steps have run. */
async function run(
  handler: (context: Context, ran: string[], rig: WorkerRig) => unknown,
  task: Partial<NewTask> = {},
): Promise<{ readonly rig: WorkerRig; readonly id: string; readonly ran: string[] }> {
  const ran: string[] = [];
  const rig: WorkerRig = createWorkerRig({ a: (_, context) => handler(context, ran, rig) });
  const [id = ''] = await rig.enqueue({ policy: '{"attempts":3,"delayMs":1000,"jitter":"none"}', ...task });
  rig.worker.start();
  await rig.clock.advance(10);
  return { rig, id, ran };
}

/** Does the step, and writes down that it ran. */
const step = (context: Context, ran: string[], name: string, value: unknown = name) =>
  context.step(name, () => {
    ran.push(name);
    return value;
  });

async function nextAttempt(rig: WorkerRig): Promise<void> {
  await rig.clock.advance(2_000);
  await rig.memory.promote(10);
  await rig.clock.advance(2_000);
}

test('a step that is kept does not run again in the next attempt, which gets its value', async () => {
  const seen: unknown[] = [];
  const { rig, id, ran } = await run(async (context, ran) => {
    seen.push(await step(context, ran, 'one', { at: new Date(0) }), await step(context, ran, 'two', null));
    seen.push(await context.step('three', () => void ran.push('three')));
    if (context.attempt === 1) throw new Error('after all of them');
  });
  await nextAttempt(rig);
  expect(await rig.task(id)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    checkpoints: [
      { name: 'one', value: '{"at":"1970-01-01T00:00:00.000Z"}' },
      { name: 'two', value: 'null' },
      { name: 'three', value: null },
    ],
  });
  expect(ran).toEqual(['one', 'two', 'three']);
  // The first run is given what the second one will be: no Date here and text there.
  const value = { at: '1970-01-01T00:00:00.000Z' };
  expect(seen).toEqual([value, null, undefined, value, null, undefined]);
  await rig.worker.stop();
});

test('what a step throws is not kept: it runs again, in the same run too', async () => {
  const { rig, id } = await run(async (context, ran) => {
    const flaky = () =>
      context.step('flaky', () => {
        ran.push('flaky');
        if (ran.length < 3) throw new Error(`failure ${ran.length}`);
        return ran.length;
      });
    return flaky().catch(flaky);
  });
  expect(await rig.task(id)).toMatchObject({ state: 'scheduled', error: { message: 'failure 2' }, checkpoints: [] });
  await nextAttempt(rig);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', result: '3' });
  await rig.worker.stop();
});

test('the handler goes on only when the store has said that it keeps the step', async () => {
  const { rig, id, ran } = await run(async (context, ran) => {
    await step(context, ran, 'one');
    ran.push('on');
  });
  expect(ran).toEqual(['one', 'on']);
  rig.faults.loseReply = (method) => method === 'heartbeat';
  const [second = ''] = await rig.enqueue({ id: 'T2'.padEnd(26, '0') });
  await rig.clock.advance(2_000);
  expect(ran).toEqual(['one', 'on', 'one']);
  expect((await rig.task(second)).checkpoints).toHaveLength(1);
  rig.faults.loseReply = null;
  await rig.clock.advance(2_000);
  expect(ran).toEqual(['one', 'on', 'one', 'on']);
  expect([await rig.task(id), await rig.task(second)]).toMatchObject([{ state: 'succeeded' }, { state: 'succeeded' }]);
  await rig.worker.stop();
});

test('steps of many handlers travel together', async () => {
  const handler: Handler = async (_, context) => {
    for (const name of ['one', 'two', 'three']) await context.step(name, () => name);
  };
  const rig = createWorkerRig({ a: handler }, { concurrency: 50 });
  const ids = await rig.enqueue(...Array.from({ length: 50 }, () => ({})));
  rig.worker.start();
  await rig.clock.advance(10);
  for (const id of ids) expect((await rig.task(id)).checkpoints).toHaveLength(3);
  expect(rig.beats.length).toBeLessThan(12);
  await rig.worker.stop();
});

test('more steps than one call carries go in several', async () => {
  const value = 'x'.repeat(limits.stepBytesMax - 10);
  const rig = createWorkerRig(
    { a: (_, context) => context.step('big', () => value).then(() => null) },
    { concurrency: 40 },
  );
  const ids = await rig.enqueue(...Array.from({ length: 40 }, () => ({})));
  rig.worker.start();
  await rig.clock.advance(1_500);
  for (const id of ids) expect(await rig.task(id)).toMatchObject({ state: 'succeeded' });
  await rig.worker.stop();
});

test.each([
  [
    'a name used twice',
    (context: Context) => Promise.all([step(context, [], 'a'), step(context, [], 'a')]),
    'STEP_NAME_TAKEN',
  ],
  ['a value that is no JSON', (context: Context) => step(context, [], 'a', 1n), 'PAYLOAD_NOT_JSON'],
  [
    'a value that is too large',
    (context: Context) => step(context, [], 'a', 'x'.repeat(limits.stepBytesMax)),
    'STEP_TOO_LARGE',
  ],
  [
    'values that are too large together',
    async (context: Context) => {
      for (let n = 0; n < 5; n++) await step(context, [], `${n}`, 'x'.repeat(limits.stepBytesMax - 10));
    },
    'STEP_TOO_LARGE',
  ],
  [
    'too many steps',
    async (context: Context) => {
      for (let n = 0; n <= limits.stepsMax; n++) await step(context, [], `${n}`);
    },
    'STEP_TOO_LARGE',
  ],
  ['a name that is none', (context: Context) => step(context, [], ''), 'INVALID_OPTION'],
])('%s is refused', async (_, handler, code) => {
  let refused: unknown;
  const { rig } = await run(async (context) => {
    await handler(context).catch((error: unknown) => {
      refused = error;
    });
  });
  for (let turns = 0; turns < 200 && refused === undefined; turns++) await rest();
  expect(refused).toMatchObject({ code });
  await rig.worker.stop();
});

test('a mistake in the code of the steps is not tried again', async () => {
  const { rig, id } = await run((context) => step(context, [], 'a', 1n));
  expect(await rig.task(id)).toMatchObject({ state: 'failed', attempt: 1 });
  await rig.worker.stop();
});

test('a step whose lease is lost is refused, and the next claim runs it again', async () => {
  let refused: unknown;
  const { rig, id, ran } = await run(async (context, ran, rig) => {
    await step(context, ran, 'kept');
    const away = taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
    if (context.fencingToken === 1) rig.faults.fail = (method) => (method === 'heartbeat' ? away : null);
    await step(context, ran, 'lost').catch((error: unknown) => {
      refused = error;
      rig.faults.fail = null;
      throw error;
    });
  });
  expect((await rig.task(id)).checkpoints).toEqual([{ name: 'kept', value: '"kept"' }]);
  await rig.clock.advance(limits.leaseMs);
  expect(refused).toMatchObject({ code: 'LEASE_LOST' });
  expect(ran).toEqual(['kept', 'lost', 'lost']);
  expect((await rig.task(id)).checkpoints.map(({ name }) => name)).toEqual(['kept', 'lost']);
  await rig.worker.stop();
});

test('a handler that goes on after the end of its run keeps nothing more', async () => {
  const refused: unknown[] = [];
  const { rig } = await run(
    async (context, ran, rig) => {
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      await step(context, ran, 'tidied');
      await new Promise((resolve) => rig.clock.schedule(limits.graceMs * 2, () => resolve(null)));
      await step(context, ran, 'late').catch((error: unknown) => refused.push(error));
    },
    { timeoutMs: 1_000 },
  );
  await rig.clock.advance(limits.graceMs * 4);
  expect(refused).toMatchObject([{ code: 'LEASE_LOST' }]);
  await rig.worker.stop();
});

test('a retry by a person begins without any step', async () => {
  const { rig, id, ran } = await run(async (context, ran) => void (await step(context, ran, 'one')));
  await rest();
  await rig.memory.retry([id]);
  await rig.clock.advance(2_000);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', generation: 2 });
  expect(ran).toEqual(['one', 'one']);
  await rig.worker.stop();
});
