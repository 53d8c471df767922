/** How much a page and a list ask of their stores: six statements at most, however many queues, workers and tasks there are. */

import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { limits } from '../../src/core/limits.ts';
import type { NewTask } from '../../src/core/task.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { finish, heartbeatRequest, newTask, presence, settlement, wait } from '../conformance/samples.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { type OperationRig, onEachStore, token } from '../support/operation-stores.ts';
import { waitFor } from '../support/wait-for.ts';

const statementsMax = 6;
/** Of Redis, each a command or a function, and the same for one queue and for fifty. */
const commandsMax = 10;

interface World {
  /** Ids of tasks: it runs, it waits behind a full limit and others, it succeeded, it failed after attempts, its child. */
  readonly running: string;
  readonly waiting: string;
  readonly succeeded: string;
  readonly failed: string;
  readonly blocked: string;
}

/** Something in every table that a page looks at, in so many queues. */
async function fill(rig: OperationRig, queues: number): Promise<World> {
  const { broker } = rig.store;
  const put = async (given: Partial<NewTask> = {}): Promise<string> => {
    const id = rig.context.ids.next();
    await broker.enqueue([newTask(id, { name: 'report', ...given })]);
    return id;
  };
  for (let number = 0; number < queues; number += 1) {
    const queue = `queue.${number}`;
    const name = `mail.${number}`;
    await put({ queue, name });
    await put({ queue, name, group: 'ada', delayMs: number % 2 === 0 ? 0 : 60_000 });
    await broker.configure('queue', queue, { max: 3, rate: { count: 9, perMs: 1_000 } });
    if (number % 3 === 0) await broker.configure('queue', queue, { pause: { by: 'ada', reason: 'month end' } });
    await broker.heartbeat(heartbeatRequest([], { worker: presence({ workerId: token(), queues: { [queue]: 5 } }) }));
  }
  await crowd(rig);
  const succeeded = await put();
  await rig.end('succeeded');
  const failed = await put({ key: 'k' });
  for (const verdict of [wait('queued'), finish('failed')]) {
    const [claimed] = await rig.claim(1);
    if (claimed === undefined) throw new Error('nothing was claimed');
    const error = { name: 'Error', message: 'boom', stack: 'Error: boom', fingerprint: 'f1f2f3' };
    await broker.settle([settlement(claimed.task.id, claimed.lease, { ...verdict, error })]);
  }
  const rules = ['smtp', 'crm'].map((name) => ({ name, max: 1, rate: null }));
  const limits = [...rules, { name: 'erp', max: null, rate: { count: 5, perMs: 1_000 } }];
  const running = await put({ limits, group: 'ada' });
  await rig.claim(1);
  for (const group of ['bob', 'eve']) await put({ group });
  const waiting = await put({ limits, group: 'ada', tags: ['red'] });
  const parents = [waiting, running].map((taskId) => ({ taskId, onFailure: 'fail' as const }));
  const blocked = await put({ dependsOn: parents, flowId: waiting });
  await rig.recorded();
  return { running, waiting, succeeded, failed, blocked };
}

/** A line of many groups, most of whose tasks stand behind full limits, with a heavy group and one that is paused. */
async function crowd({ store: { broker }, context, claim }: OperationRig): Promise<void> {
  const full = [{ name: 'one', max: 1, rate: null }];
  const given = Array.from({ length: 240 }, (_, at): Partial<NewTask> => {
    const own = at % 3 === 1 ? [{ name: `own.${at}`, max: 1, rate: null }] : [];
    return { queue: 'crowd', name: 'report', group: at < 80 ? 'g0' : `g${at % 40}`, limits: at % 3 === 0 ? full : own };
  });
  await broker.enqueue(given.map((each) => newTask(context.ids.next(), each)));
  await broker.configure('group', 'g0', { weight: 1_000 });
  await broker.configure('group', 'g7', { pause: { by: 'ada', reason: null } });
  await claim(1, 'crowd');
}

const filters = [
  '',
  'state:failed',
  'state:succeeded',
  'state:queued',
  'state:running',
  'state:scheduled,blocked',
  'state:retrying,expired,quarantined',
  'queue:queue.1',
  'queue:queue.*',
  'queue:none',
  'name:report',
  'name:mail.*',
  'name:mail.* state:failed',
  'name:report state:succeeded queue:default',
  'report',
  'rep*',
  'key:k',
  'key:k*',
  'err:f1',
  'err:f1f2f3 state:failed name:report',
  'id:0',
  'flow:0',
  'tag:red',
  'worker:nobody',
  'error:boom',
  'error:nothing state:failed',
  'since:1h',
  'until:1h',
  'created:>1h state:failed',
  'took:>1s',
  'waited:>1m state:queued',
  'attempt:>1',
  'priority:high',
  'input.user.plan:pro',
  'output.bytes:>5',
  '-state:succeeded -name:report tag:red',
];

const lists = [
  '/api/v1/health',
  '/api/v1/counts',
  '/api/v1/activity?minutes=1440',
  '/api/v1/activity?minutes=10080',
  '/api/v1/queues',
  '/api/v1/queues/queue.1',
  '/api/v1/queues/queue.1/scale',
  '/api/v1/queues/queue.1/peek',
  '/api/v1/queues/queue.3/peek',
  '/api/v1/queues/crowd/peek?limit=100',
  '/api/v1/queues/crowd/peek?limit=5',
  '/api/v1/workers',
  '/api/v1/groups',
  '/api/v1/limits',
  '/api/v1/schedules',
  '/api/v1/flows',
  '/api/v1/errors',
  '/api/v1/signs',
  '/api/v1/errors/f1f2f3',
  '/api/v1/stats/timeline',
  '/api/v1/stats/timeline?step=hour&minutes=129600',
  '/api/v1/stats/depth',
  '/api/v1/metrics',
];

interface Cost {
  readonly text: string;
  readonly statements: readonly string[];
  readonly commands: number;
}

async function openPages(rig: OperationRig, queues: number) {
  const world = await fill(rig, queues);
  await rig.stopEngine();
  const { statements, redisPath } = rig;
  // Nothing is looked for behind a request but where a test moves the time.
  const clock = createManualClock();
  const context = { ...rig.context, clock };
  const fetch = createApp({ context, pages: createPages({ version: '0.0.0' }), report: () => {} });
  const commands = redisPath === null ? null : await watchRedis(redisPath);
  /** What one request asks of the stores. */
  const cost = async (path: string, wanted = 200): Promise<Cost> => {
    await commands?.settle();
    statements.length = 0;
    const before = commands?.seen() ?? 0;
    const response = await fetch(new Request(`http://127.0.0.1:8000${path}`));
    const text = await response.text();
    expect(response.status, `${path}: ${text.slice(0, 400)}`).toBe(wanted);
    const asked = [...statements];
    await commands?.settle();
    return { text, statements: asked, commands: (commands?.seen() ?? 0) - before };
  };
  return { world, cost, clock };
}

/** Counts what is sent to a Redis; what its functions do inside is not sent. */
async function watchRedis(path: string) {
  const [client, probe] = [new Redis({ path }), new Redis({ path })];
  const monitor = await client.monitor();
  onTestFinished(() => [client, monitor, probe].forEach((each) => each.disconnect()));
  const sent: string[] = [];
  let marks = 0;
  monitor.on('monitor', (_time: string, [name = '', mark = '']: string[], source: string) => {
    if (name.toLowerCase() === 'echo') marks = Number(mark);
    else if (source !== 'lua' && !/^(?:xread|ping|info|client|wait)/i.test(name)) sent.push(name);
  });
  let last = 0;
  return {
    seen: () => sent.length,
    /** All that was sent before is seen. */
    settle: async () => {
      last += 1;
      await probe.echo(String(last));
      await waitFor(() => expect(marks).toBe(last));
    },
  };
}

await onEachStore((open) => {
  test('no page, search or list needs more than six statements', { timeout: 120_000 }, async () => {
    const { world, cost } = await openPages(await open(), 50);
    const pages = [
      '/',
      '/?span=24h',
      '/?span=7d',
      ...filters.map((q) => `/tasks?q=${encodeURIComponent(q)}`),
      ...Object.values(world).map((id) => `/tasks/${id}`),
      '/schedules',
    ];
    const searches = filters.map((q) => `/api/v1/tasks?q=${encodeURIComponent(q)}`);
    const ofTask = Object.values(world).flatMap((id) =>
      ['', '/explain', '/logs'].map((part) => `/api/v1/tasks/${id}${part}`),
    );
    for (const path of [...pages, ...searches, ...lists, ...ofTask]) {
      const asked = await cost(path);
      expect(asked.statements.length, `${path}\n${asked.statements.join('\n')}`).toBeLessThanOrEqual(statementsMax);
      expect(asked.commands, path).toBeLessThanOrEqual(commandsMax);
    }
  });

  test('the look for signs is no part of what a page asks, and is behind it', { timeout: 60_000 }, async () => {
    const { cost, clock } = await openPages(await open(), 3);
    const asOf = async (): Promise<string | null> =>
      (JSON.parse((await cost('/api/v1/signs?wait=false')).text) as { readonly asOf: string | null }).asOf;
    const open_ = async (): Promise<string> => {
      const { text, statements } = await cost('/');
      expect(statements.length, statements.join('\n')).toBeLessThanOrEqual(statementsMax);
      const isLooking = text.includes('is being looked for');
      // Who has no scripts sees them with the next load, which comes by itself.
      expect(text.includes('<noscript><meta http-equiv="refresh" content="3"')).toBe(isLooking);
      return isLooking ? 'none' : 'some';
    };
    const looked = async (): Promise<void> => {
      const before = await asOf();
      await clock.advance(limits.signsBehindMs);
      await waitFor(async () => expect(await asOf()).not.toBe(before));
    };
    expect(await open_()).toBe('none');
    await looked();
    expect(await open_()).toBe('some');
    const first = await asOf();
    await clock.advance(limits.signsMs);
    expect([await open_(), await asOf()]).toEqual(['some', first]);
    await looked();
    expect(await open_()).toBe('some');
    await clock.advance(limits.signsStaleMs);
    expect([await open_(), await open_()]).toEqual(['none', 'none']);
    // Who may wait does, and looks: it is all that is asked for.
    const { text, statements } = await cost('/api/v1/signs');
    expect(JSON.parse(text)).toMatchObject({ asOf: expect.any(String) });
    expect(statements.length).toBeLessThanOrEqual(statementsMax);
    expect(await open_()).toBe('some');
  });
});
