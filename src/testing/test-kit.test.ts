/** Checks the test kit with the tests its users would write. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { setDefaultParts } from '../client/default-client.ts';
import { contract, task } from '../client/define.ts';
import { fatal, snooze } from '../core/verdicts.ts';
import { testKit } from './test-kit.ts';

const input = z.object({ userId: z.string(), locale: z.enum(['en', 'de']).default('en') });
let started = false;
const email = {
  sendWelcome: task('email.welcome', {
    input,
    queue: 'email',
    retry: 3,
    async run({ userId, locale }, ctx) {
      ctx.log.info('sending', { locale });
      ctx.progress(1, 2, 'rendered');
      return { sentTo: userId, attempt: ctx.attempt };
    },
  }),
  chain: task('chain', {
    input: z.object({ left: z.int() }),
    async run({ left }) {
      if (left > 0) await email.chain.enqueue({ left: left - 1 });
    },
  }) as import('../client/define.ts').TaskRef<'chain', { left: number }, { left: number }, undefined>,
  slow: task('slow', {
    input: z.object({}),
    timeout: '30s',
    retry: 1,
    run: (_, ctx) =>
      new Promise<void>((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  }),
  outside: task('outside', {
    input: z.object({}),
    run: () => new Promise<string>((resolve) => setTimeout(() => resolve('fetched'), 30)),
  }),
  tidying: task('tidying', {
    input: z.object({}),
    async run(_, ctx) {
      started = true;
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      await email.gone.enqueue({});
    },
  }) as import('../client/define.ts').TaskRef<'tidying', object, object, undefined>,
  steps: task('steps', {
    input: z.object({}),
    retry: 3,
    async run(_, ctx) {
      const one = await ctx.step('one', () => ({ attempt: ctx.attempt }));
      if (ctx.attempt < 3) throw new Error('again');
      return one;
    },
  }),
  gone: task('gone', {
    input: z.object({}),
    run: async () => {
      throw fatal('the user is gone');
    },
  }),
  later: task('later', {
    input: z.object({}),
    run: async (_, ctx) => {
      if (ctx.fencingToken < 3) throw snooze('10m');
      return ctx.attempt;
    },
  }),
};
const resize = contract('image.resize', { input: z.object({ width: z.int() }), output: z.object({ bytes: z.int() }) });

test('it knows what was enqueued, and runs it', async () => {
  await using tf = await testKit({ tasks: [email], now: '2026-11-23T09:00Z' });
  await email.sendWelcome.enqueue({ userId: 'ada' });
  expect(tf.enqueued(email.sendWelcome)).toEqual([{ userId: 'ada' }]);
  expect(tf.runs(email.sendWelcome)).toEqual([]);
  expect(await tf.drain()).toEqual({ succeeded: 1, failed: 0, cancelled: 0, retrying: 0 });
  expect(tf.runs(email.sendWelcome)).toMatchObject([
    {
      state: 'succeeded',
      attempts: 1,
      output: { sentTo: 'ada', attempt: 1 },
      logs: [{ level: 'info', message: 'sending', fields: { locale: 'en' } }],
      progress: { done: 1, total: 2 },
    },
  ]);
  expect(tf.clock.now()).toEqual(new Date('2026-11-23T09:00Z'));
});

test('a stub fails twice, then the real handler succeeds, over the back-off', async () => {
  await using tf = await testKit({ tasks: [email] });
  tf.stub(email.sendWelcome, { fail: new Error('SMTP 451'), times: 2 });
  const before = tf.clock.now().getTime();
  expect(await tf.execute(email.sendWelcome, { userId: 'ada' })).toMatchObject({ state: 'succeeded', attempts: 3 });
  expect(tf.clock.now().getTime() - before).toBeGreaterThan(1_000);
});

test('a stub that always fails uses up the attempts', async () => {
  await using tf = await testKit({ tasks: [email] });
  tf.stub(email.sendWelcome, { fail: new Error('SMTP 451') });
  const run = await tf.execute(email.sendWelcome, { userId: 'ada' });
  expect(run).toMatchObject({ state: 'failed', attempts: 3, error: { message: 'SMTP 451' } });
});

test('functions and values stand in for handlers, also of contracts', async () => {
  await using tf = await testKit({ tasks: [email, resize] });
  tf.stub(email.sendWelcome, ({ userId, locale }) => ({ sentTo: `${userId} ${locale}`, attempt: 9 }));
  tf.stub(resize, { return: { bytes: 12 } });
  expect((await tf.execute(email.sendWelcome, { userId: 'ada' })).output).toEqual({ sentTo: 'ada en', attempt: 9 });
  expect((await tf.execute(resize, { width: 3 })).output).toEqual({ bytes: 12 });
});

test('a drain follows what tasks enqueue, and stops at a task that never stops', async () => {
  await using tf = await testKit({ tasks: email });
  await email.chain.enqueue({ left: 5 });
  expect(await tf.drain()).toMatchObject({ succeeded: 6 });
  await email.chain.enqueue({ left: 1e9 });
  await expect(tf.drain({ max: 20 })).rejects.toMatchObject({ code: 'DRAIN_UNFINISHED' });
});

test('what is delayed waits for the clock', async () => {
  await using tf = await testKit({ tasks: [email] });
  const handle = await email.sendWelcome.enqueue({ userId: 'ada' }, { delay: '2d' });
  expect(await tf.drain()).toMatchObject({ succeeded: 0 });
  await tf.clock.advance('47h');
  expect(await handle.state()).toBe('scheduled');
  await tf.clock.advance('1h');
  expect(await handle.state()).toBe('queued');
  expect(await tf.drain()).toMatchObject({ succeeded: 1 });
  expect(await handle.result()).toEqual({ sentTo: 'ada', attempt: 1 });
});

test('a timeout passes by hand', async () => {
  await using tf = await testKit({ tasks: [email] });
  await email.slow.enqueue({});
  const drained = tf.drain();
  await tf.clock.advance('31s');
  expect(await drained).toMatchObject({ failed: 1 });
  expect(tf.runs(email.slow)[0]).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('30 s') },
  });
});

test('handlers may wait for the real world', async () => {
  await using tf = await testKit({ tasks: [email] });
  expect((await tf.execute(email.outside, {})).output).toBe('fetched');
});

test('fatal ends a task at once, snooze costs no attempt', async () => {
  await using tf = await testKit({ tasks: [email] });
  expect(await tf.execute(email.gone, {})).toMatchObject({ state: 'failed', attempts: 1 });
  expect(await tf.execute(email.later, {})).toMatchObject({ state: 'succeeded', attempts: 1, output: 1 });
});

test('a crash loses nothing, and three of them are enough', async () => {
  await using tf = await testKit({ tasks: [email] });
  await email.sendWelcome.enqueue({ userId: 'ada' });
  await tf.crashWorker();
  expect(await tf.drain()).toMatchObject({ succeeded: 1 });
  await email.sendWelcome.enqueue({ userId: 'bob' });
  for (let crash = 0; crash < 3; crash++) await tf.crashWorker();
  expect(tf.runs(email.sendWelcome)[1]).toMatchObject({ state: 'failed' });
});

test('it runs on a file as well, and leaves none behind', async () => {
  const files = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('taskflow-test-'));
  const before = files();
  const tf = await testKit({ tasks: [email], store: 'sqlite' });
  expect(await tf.execute(email.sendWelcome, { userId: 'ada' })).toMatchObject({ state: 'succeeded' });
  await tf[Symbol.asyncDispose]();
  expect(files()).toEqual(before);
  await expect(testKit({ tasks: [email], store: 'redis' as 'memory' })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  });
});

test('wrong input rejects, and stores nothing', async () => {
  await using tf = await testKit({ tasks: [email] });
  await expect(email.sendWelcome.enqueue({ userId: 3 as never })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(tf.enqueued(email.sendWelcome)).toEqual([]);
});

test('one kit at a time; a drain that hangs does not outlive its kit', async () => {
  const first = await testKit({ tasks: [email] });
  await expect(testKit({ tasks: [email] })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  await email.slow.enqueue({});
  const drained = first.drain();
  await new Promise((resolve) => setImmediate(resolve));
  await first[Symbol.asyncDispose]();
  await drained;
  await (await testKit({ tasks: [email] }))[Symbol.asyncDispose]();
});

test('what handlers still do while a kit ends stays in that kit', async () => {
  let opened = 0;
  setDefaultParts({
    open() {
      opened += 1;
      return Promise.reject(new Error('a store of the real project'));
    },
  });
  const tf = await testKit({ tasks: [email] });
  await email.tidying.enqueue({});
  const drained = tf.drain();
  while (!started) await new Promise((resolve) => setImmediate(resolve));
  const ending = tf[Symbol.asyncDispose]();
  await expect(testKit({ tasks: [email] })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  await ending;
  await drained;
  expect(opened).toBe(0);
  expect(tf.enqueued(email.gone)).toEqual([{}]);
});

test('limits hold in the kit: a rate by its clock, slots by its runs', async () => {
  const charged: string[] = [];
  const charge = task('card.charge', {
    input: z.object({ customer: z.string() }),
    concurrency: { limit: 1, key: '{customer}' },
    rateLimit: { limit: 2, per: '1m' },
    run: ({ customer }) => void charged.push(customer),
  });
  await using tf = await testKit({ tasks: { charge }, now: '2026-11-23T09:00Z' });
  await charge.enqueueMany(['a', 'a', 'b', 'c'].map((customer) => ({ customer })));
  expect(await tf.drain()).toMatchObject({ succeeded: 2 });
  await tf.clock.advance('1m');
  expect(await tf.drain()).toMatchObject({ succeeded: 2 });
  expect(charged.toSorted()).toEqual(['a', 'a', 'b', 'c']);
  expect((await tf.execute(charge, { customer: 'd' })).state).toBe('succeeded');
  expect(tf.clock.now().toISOString()).toBe('2026-11-23T09:01:30.000Z');
});

test('steps are kept over attempts and crashes, and shown', async () => {
  await using tf = await testKit({ tasks: [email] });
  const run = await tf.execute(email.steps, {});
  expect(run).toMatchObject({ state: 'succeeded', attempts: 3, output: { attempt: 1 } });
  expect(run.steps).toEqual({ one: { attempt: 1 } });
});
