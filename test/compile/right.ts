/** What must compile where tasks are enqueued, followed, worked on and tested. */
import type { DatabaseSync } from 'node:sqlite';
import { createClient, createWorker, flow, type Handle, type Middleware, TaskFlowError, task } from 'taskflowjs';
import { testKit } from 'taskflowjs/testing';
import { z } from 'zod';
import * as email from './tasks/email.ts';
import * as image from './tasks/image.ts';

export async function enqueue(): Promise<void> {
  await email.sendWelcome.enqueue({ userId: 'ada' });
  const reminder = await email.sendWelcome.enqueue(
    { userId: 'ada', locale: 'de' },
    {
      delay: '3d',
      priority: 'low',
      key: 'remind:ada',
      ifExists: 'return',
      group: 'team:7',
      limits: [{ name: 'smtp', max: 5, rate: { limit: 100, per: '1m' } }],
      tags: ['onboarding'],
    },
  );
  if (!reminder.created) console.log('already queued as', reminder.id, reminder.url);
  await email.sendWelcome.enqueueMany([{ userId: 'ada' }, { userId: 'bob', locale: 'ja' }]);
  await email.sendWelcome.enqueueMany([{ input: { userId: 'eve' }, options: { at: new Date(), priority: 3 } }]);

  const sent = await email.sendWelcome.run({ userId: 'ada' }, { wait: '10s' });
  sent.messageId satisfies string;
  sent.locale satisfies 'en' | 'de' | 'ja';
  // A result travels as JSON: what was a Date is text.
  sent.sentAt satisfies string;
  (await email.ping.run({})) satisfies undefined;
}

export async function follow(handle: Handle<{ bytes: number }>): Promise<string> {
  try {
    const { bytes } = await handle.result({ timeout: '1m', signal: AbortSignal.timeout(5_000) });
    return String(bytes);
  } catch (error) {
    if (error instanceof TaskFlowError && error.code === 'RESULT_TIMEOUT') {
      const answer = await handle.cancel('too slow');
      return typeof answer === 'string' ? answer : answer.already;
    }
    throw error;
  }
}

export const nightly = image.buildReport.schedule('report.nightly', {
  cron: '30 2 * * *',
  timezone: 'Europe/Berlin',
  input: ({ at }) => ({ day: at.toISOString().slice(0, 10) }),
  overlap: 'queue',
  catchUp: { all: 10, within: '2d' },
  priority: 'low',
  startWithin: '6h',
});

export const heartbeat = email.sendWelcome.schedule('greet', {
  every: '15m',
  jitter: '30s',
  input: { userId: 'ada', locale: 'de' },
  retry: { attempts: 2 },
});

export const resized = image.resizeImage.schedule('image.logo', {
  cron: '@daily',
  input: async () => ({ src: 'https://x.test/logo.png', width: 640 }),
});

const publishVideo = flow('video.publish', { input: z.object({ id: z.string(), at: z.coerce.date() }) })
  .step('report', image.buildReport)
  .from(({ flow: { at } }) => {
    // What a step reads has been stored: a Date is text.
    at satisfies string;
    return { day: at };
  })
  .step('resize', image.resizeImage, { needs: ['report'], limit: 2 })
  .forEach(async (results) => {
    results.report.kind satisfies 'daily' | 'weekly';
    return [640, 320].map((width) => ({ src: results.flow.id, width }));
  })
  .step('tell', email.sendWelcome, { needs: ['resize', 'report'] })
  .from((results) => ({ userId: results.resize[0]?.url ?? results.report.kind }))
  .onFailure(email.sendWelcome, ({ flow: { id }, failed, error }) => ({ userId: `${id} ${failed} ${error.message}` }));

export async function publishAll(): Promise<number> {
  const run = await publishVideo.enqueue({ id: 'v1', at: new Date() }, { priority: 'low', delay: '1m' });
  const out = await run.result({ timeout: '2h' });
  out.tell.messageId satisfies string;
  publishVideo.schedule('nightly', { every: '1h', input: { id: 'v1', at: 1 } });
  return out.resize.reduce((sum, { bytes }) => sum + bytes, 0);
}

export const parent = task('parent', {
  input: z.object({ pages: z.array(z.string()) }),
  async run({ pages }, ctx) {
    const parts = await Promise.all(pages.map((src) => ctx.spawn(image.resizeImage, { src, width: 640 })));
    const first = await email.ping.enqueue({}, { dependsOn: ['01K8PZX2M4EJ9C7YF4V7Z0B2HN', ctx] });
    await ctx.spawn(
      email.sendWelcome,
      { userId: 'ada' },
      { dependsOn: [...parts, { task: first, onFailure: 'ignore' }], blocks: [first], priority: 'low' },
    );
    ctx.parents.map(({ id, state, result }) => [id, state, result] as const);
    return ctx.resultsOf(image.resizeImage).map(({ bytes }) => bytes satisfies number);
  },
});

export async function byName(): Promise<void> {
  await using client = createClient<typeof email & typeof image>({ broker: 'sqlite:./taskflow.db' });
  const sent = await client.enqueue('email.welcome', { userId: 'ada' }, { priority: 'urgent' });
  (await sent.result()).messageId satisfies string;
  (await client.run('image.resize', { src: 'https://x.test/a.png', width: 640 }, { wait: '1m' }))
    .bytes satisfies number;
  (await client.run('report.build', { day: '2026-11-23' })).kind satisfies 'daily' | 'weekly';
  await client.enqueueMany('email.welcome', [{ userId: 'ada' }, { userId: 'bob' }]);
  (await client.handle(sent.id).state()) satisfies string;

  const untyped = createClient();
  (await untyped.run('anything', { whatever: 1 })) satisfies unknown;
  await untyped.close();
}

export async function work(): Promise<void> {
  const timing: Middleware = async (run, next) => {
    try {
      return await next();
    } finally {
      console.log(run.name, run.id, run.attempt);
    }
  };
  const worker = await createWorker({
    broker: process.env.TASKFLOW_BROKER ?? 'sqlite:./taskflow.db',
    tasks: [email, image],
    schedules: [nightly, { heartbeat }],
    queues: { email: 20, media: { concurrency: 2 }, default: 10 },
    drain: '30s',
    middleware: [timing],
  });
  worker.on('failed', ({ name, id, error }) => console.error(`${name} ${id} gave up:`, error?.message));
  await worker.run();
}

export async function tested(): Promise<void> {
  await using tf = await testKit({ tasks: [email, image.resizeImageTask], now: '2026-11-23T09:00Z', store: 'sqlite' });
  tf.enqueued(email.sendWelcome) satisfies { userId: string }[];
  tf.stub(email.sendWelcome, { fail: new Error('SMTP 451'), times: 2 });
  tf.stub(image.resizeImage, ({ src }) => ({ url: src, bytes: 3, kind: 'png' }));
  tf.stub(image.resizeImageTask, { return: { url: 'https://x.test', bytes: 3, kind: 'png' } });
  const run = await tf.execute(image.resizeImage, { src: 'https://x.test/a.png', width: 640 });
  run.output?.bytes satisfies number | undefined;
  (await tf.drain({ max: 10 })).succeeded satisfies number;
  await tf.clock.advance('2d');
  await tf.crashWorker();
}

export async function inTransaction(tx: DatabaseSync): Promise<void> {
  await using client = createClient<typeof email>();
  const handle = await email.sendWelcome.enqueue({ userId: 'x' }, { tx, delay: '1h' });
  const handles = await email.sendWelcome.enqueueMany([{ userId: 'x' }, { userId: 'y' }], { tx });
  await client.enqueue('email.welcome', { userId: 'x' }, { tx });
  await client.enqueueMany('email.welcome', [{ userId: 'x' }], { tx });
  await Promise.all([handle, ...handles].map((each) => each.afterCommit()));
}
