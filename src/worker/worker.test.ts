/** Checks what a worker does with tasks, handlers and a store that misbehaves. */
import { expect, test } from 'vitest';
import { createManualClock, rest } from '../../test/support/manual-clock.ts';
import { createDefinition, createWorkerRig, type Handler } from '../../test/support/worker-rig.ts';
import { fatal, snooze } from '../core/verdicts.ts';

const never = (): Promise<never> => new Promise(() => {});
/** Ends when it is told to, as a good handler does. */
const obedient: Handler = (_, context) =>
  new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));

test('a task runs and its result is stored', async () => {
  const rig = createWorkerRig({ a: (input) => ({ got: input }) });
  const [id = ''] = await rig.enqueue({ payload: '{"n":1}' });
  rig.worker.start();
  await rig.clock.advance(1);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', result: '{"got":{"n":1}}', attempt: 1 });
  expect(rig.events).toEqual(['started a', 'succeeded a']);
  await rig.worker.stop();
});

test('work that arrives while idle is claimed at once, without waiting for the poll', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  await rig.clock.advance(10);
  const [id = ''] = await rig.enqueue({});
  await rest();
  expect((await rig.task(id)).state).toBe('succeeded');
  await rig.worker.stop();
});

test('an idle worker asks the store at most once a second', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  await rig.clock.advance(60_000);
  expect(rig.calls.length).toBeLessThanOrEqual(61);
  expect(rig.calls.length).toBeGreaterThanOrEqual(50);
  await rig.worker.stop();
});

test('never more handlers run than there are slots, by queue', async () => {
  let running = 0;
  let most = 0;
  const handler: Handler = async () => {
    most = Math.max(most, ++running);
    await rest();
    running -= 1;
  };
  const rig = createWorkerRig({ a: handler }, { queues: { email: 2, default: 3 } });
  const ids = await rig.enqueue(
    ...Array.from({ length: 20 }, (_, i) => ({ queue: i % 2 === 0 ? 'email' : 'default' })),
  );
  rig.worker.start();
  for (let i = 0; i < 20; i++) await rest();
  expect(most).toBe(5);
  for (const id of ids) expect((await rig.task(id)).state).toBe('succeeded');
  await rig.worker.stop();
});

test.each([
  [
    'a string',
    () => {
      throw 'text';
    },
    'text',
  ],
  [
    'null',
    () => {
      throw null;
    },
    'null',
  ],
  [
    'a cycle',
    () => {
      const error = new Error('round');
      error.cause = error;
      throw error;
    },
    'round',
  ],
  [
    'a proxy that throws',
    () => {
      throw new Proxy(
        {},
        {
          get() {
            throw new Error('no');
          },
        },
      );
    },
    '',
  ],
  [
    'a promise that rejects twice',
    () =>
      new Promise((_, reject) => {
        reject(new Error('first'));
        reject(new Error('second'));
      }),
    'first',
  ],
  [
    'a thenable that throws',
    () =>
      Object.defineProperty({}, 'then', {
        get() {
          throw new Error('then');
        },
      }),
    'then',
  ],
] as [string, Handler, string][])(
  'a handler that throws %s fails its task and nothing else',
  async (_, handler, message) => {
    const rig = createWorkerRig({ a: handler, b: () => 'fine' }, { concurrency: 1 });
    const [bad = '', good = ''] = await rig.enqueue({ name: 'a', policy: '{"attempts":1}' }, { name: 'b' });
    rig.worker.start();
    await rig.clock.advance(2_000);
    const failed = await rig.task(bad);
    expect(failed.state).toBe('failed');
    expect(failed.error?.message).toContain(message);
    expect((await rig.task(good)).state).toBe('succeeded');
    await rig.worker.stop();
  },
);

test('fatal ends the task, snooze gives the attempt back', async () => {
  const rig = createWorkerRig({
    a: () => {
      throw fatal('gone');
    },
    b: () => {
      throw snooze('10m');
    },
  });
  const [a = '', b = ''] = await rig.enqueue({ name: 'a' }, { name: 'b' });
  rig.worker.start();
  await rig.clock.advance(1);
  expect(await rig.task(a)).toMatchObject({ state: 'failed', attempt: 1 });
  expect(await rig.task(b)).toMatchObject({ state: 'scheduled', reason: 'snooze', attempt: 0, snoozes: 1 });
  await rig.worker.stop();
});

test('an unknown task name is put off without a charge', async () => {
  const rig = createWorkerRig({});
  const [id = ''] = await rig.enqueue({ name: 'nobody.knows' });
  rig.worker.start();
  await rig.clock.advance(1);
  expect(await rig.task(id)).toMatchObject({ state: 'scheduled', reason: 'unknown_task', attempt: 0, startedAt: null });
  await rig.worker.stop();
});

test('a payload that cannot be read is a charged failure that says where', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  const [id = ''] = await rig.enqueue({ payload: '{"n":' });
  rig.worker.start();
  await rig.clock.advance(1);
  const task = await rig.task(id);
  expect(task).toMatchObject({ state: 'scheduled', reason: 'error', attempt: 1 });
  expect(task.error?.message).toContain('The payload of a is not valid JSON');
  await rig.worker.stop();
});

test('a result that is no JSON or too large fails for good', async () => {
  const rig = createWorkerRig({ a: () => 10n, b: () => 'x'.repeat(300_000) });
  const [a = '', b = ''] = await rig.enqueue({ name: 'a' }, { name: 'b' });
  rig.worker.start();
  await rig.clock.advance(1);
  expect((await rig.task(a)).error?.message).toContain('The result of a');
  expect(await rig.task(b)).toMatchObject({ state: 'failed', result: null });
  await rig.worker.stop();
});

test('a run that takes too long is aborted and charged', async () => {
  const rig = createWorkerRig({ a: obedient });
  const [id = ''] = await rig.enqueue({ timeoutMs: 5_000 });
  rig.worker.start();
  await rig.clock.advance(5_100);
  const task = await rig.task(id);
  expect(task).toMatchObject({ state: 'scheduled', reason: 'timeout', attempt: 1 });
  expect(task.error?.message).toBe('The run took longer than 5.0 s.');
  await rig.worker.stop();
});

test('a handler that ignores its abort loses its slot to a replacement, up to a tenth', async () => {
  const rig = createWorkerRig({ a: never, b: () => 1 }, { concurrency: 1, graceMs: 1_000 });
  const [stuck = '', good = ''] = await rig.enqueue({ name: 'a', timeoutMs: 2_000 }, { name: 'b' });
  rig.worker.start();
  await rig.clock.advance(3_200);
  expect((await rig.task(stuck)).reason).toBe('timeout');
  expect((await rig.task(good)).state).toBe('succeeded');
  expect(rig.events).toContain('stuck a');
  const stopping = rig.worker.stop();
  await rig.clock.advance(1);
  await stopping;
});

test('a cancelled run is told within a moment and ends cancelled', async () => {
  const rig = createWorkerRig({ a: obedient });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(10);
  await rig.broker.cancel({ taskIds: [id], reason: 'test' });
  await rig.clock.advance(10);
  expect(await rig.task(id)).toMatchObject({ state: 'cancelled', reason: 'user' });
  expect(rig.events).toEqual(['started a', 'cancelled a']);
  await rig.worker.stop();
});

test('a success that comes after the wish to cancel is a success', async () => {
  const rig = createWorkerRig({
    a: (_, context) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve('done anyway'))),
  });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(10);
  await rig.broker.cancel({ taskIds: [id], reason: null });
  await rig.clock.advance(10);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', result: '"done anyway"' });
  await rig.worker.stop();
});

test('progress and logs reach the store while the handler runs, and the last of them with its end', async () => {
  const gate = Promise.withResolvers<void>();
  const rig = createWorkerRig({
    async a(_, context) {
      for (let i = 1; i <= 100; i++) context.progress(i, 200);
      context.log.info('half', { i: 100 });
      context.progress(Number.NaN);
      await gate.promise;
      context.progress(200, 200, 'done');
    },
  });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(1_200);
  expect(await rig.task(id)).toMatchObject({ progress: { done: 100, total: 200, note: null } });
  expect((await rig.task(id)).startedAt).not.toBeNull();
  gate.resolve();
  await rig.clock.advance(10);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', progress: { done: 200, total: 200, note: 'done' } });
  expect(rig.calls.filter((call) => call === 'heartbeat')).toHaveLength(2);
  await rig.worker.stop();
});

test('a listener that throws does not harm the worker', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  const troubles: unknown[] = [];
  rig.worker.on('succeeded', () => {
    throw new Error('listener');
  });
  rig.worker.on('trouble', (event) => troubles.push(event.error));
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(1);
  expect((await rig.task(id)).state).toBe('succeeded');
  expect(troubles).toHaveLength(1);
  await rig.worker.stop();
});

test('a listener that rejects later does not harm the worker either', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  const troubles: unknown[] = [];
  const page = (): unknown => Promise.reject(new Error('the pager is away'));
  rig.worker.on('succeeded', page);
  rig.worker.on('trouble', (event) => troubles.push(event.service, event.error));
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  expect((await rig.task(id)).state).toBe('succeeded');
  expect(troubles).toEqual(['listener of succeeded', new Error('the pager is away')]);
  await rig.worker.stop();
});

test.each<[what: string, thrown: () => unknown]>([
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
  [
    'an error whose fields throw',
    () =>
      Object.defineProperty(new Error('hidden'), 'retryAfterMs', {
        get() {
          throw new Error('gotcha');
        },
      }),
  ],
])('a handler may throw %s: it fails like any other', async (_what, thrown) => {
  const rig = createWorkerRig({
    a: () => {
      throw thrown();
    },
  });
  const [id = ''] = await rig.enqueue({ policy: '{"attempts":1}' });
  rig.worker.start();
  await rig.clock.advance(100);
  expect(await rig.task(id)).toMatchObject({ state: 'failed', reason: 'error' });
  expect(rig.worker.running).toBe(0);
  await rig.worker.stop();
});

test('middleware wraps the handler and may replace what it returns', async () => {
  const order: string[] = [];
  const rig = createWorkerRig(
    {
      a: () => {
        order.push('run');
        return 1;
      },
    },
    {
      middleware: [
        async (run, next) => {
          order.push(`in ${run.name}`);
          const value = await next();
          order.push('out');
          return [value];
        },
        (_, next) => next(),
      ],
    },
  );
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(1);
  expect((await rig.task(id)).result).toBe('[1]');
  expect(order).toEqual(['in a', 'run', 'out']);
  await rig.worker.stop();
});

test('a worker runs the services only while no server is alive', async () => {
  const rig = createWorkerRig({ a: () => 1 }, { services: 'auto' });
  rig.worker.start();
  await rig.clock.advance(2_000);
  expect(rig.calls).toContain('promote');
  const here = {
    host: 'h',
    pid: 1,
    bootId: null,
    queues: {},
    concurrency: 0,
    running: 0,
    taskNames: [],
    definitions: null,
  };
  await rig.broker.heartbeat({
    worker: { ...here, workerId: 's', name: 's', version: '1', state: 'ready', services: true, server: true },
    leaseMs: 30_000,
    beats: [],
  });
  await rig.clock.advance(12_000);
  rig.calls.length = 0;
  await rig.clock.advance(5_000);
  expect(rig.calls).not.toContain('promote');
  await rig.worker.stop();
});

test('two definitions with one name are refused', () => {
  const definitions = [createDefinition('a', () => 1), createDefinition('a', () => 2)];
  expect(() => createWorkerRig({}, { definitions })).toThrow(expect.objectContaining({ code: 'DUPLICATE_TASK_NAME' }));
});

test.each([{ queues: {} }, { queues: { a: 0 } }, { queues: { a: 1.5 } }, { concurrency: 100_000 }, { leaseMs: 5 }])(
  'options that make no sense are refused: %j',
  (options) => {
    expect(() => createWorkerRig({}, options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  },
);

test('handlers that compute without waiting leave turns for heartbeats', async () => {
  const order: string[] = [];
  let busyMs = 0;
  const manual = createManualClock();
  const clock = { ...manual, elapsed: () => manual.elapsed() + busyMs };
  const compute: Handler = () => {
    if (order.length === 0) setImmediate(() => order.push('turn'));
    busyMs += 50;
    order.push('run');
  };
  const rig = createWorkerRig({ a: compute }, { concurrency: 20, clock });
  await rig.enqueue(...Array.from({ length: 20 }, () => ({})));
  rig.worker.start();
  await rest();
  expect(order.indexOf('turn')).toBeLessThanOrEqual(2);
  expect(order.filter((one) => one === 'run')).toHaveLength(20);
  await rig.worker.stop();
});
