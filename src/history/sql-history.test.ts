/** The record over SQLite: every filter finds what its meaning says, page by page. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSqliteStore } from '../broker/connect.ts';
import { seededChance } from '../core/chance.ts';
import type { Filter } from '../core/filter.ts';
import { matches } from '../core/filter-match.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { createIds } from '../core/ids.ts';
import { isFinished, type TaskState, taskStates } from '../core/states.ts';
import type { NewTask, Task } from '../core/task.ts';
import type { Store } from './history.ts';

const start = 1_700_000_000_000;
let now = start;
let folder: string;
let store: Store;
const ids = createIds({ now: () => now }, seededChance(1));

beforeEach(async () => {
  now = start;
  folder = mkdtempSync(join(tmpdir(), 'taskflow-history-'));
  store = createSqliteStore({ file: join(folder, 'store.db'), now: () => now, chance: seededChance(3) });
  await store.broker.open();
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function newTask(given: Partial<NewTask> = {}): NewTask {
  return {
    id: ids.next(),
    name: 'mail.send',
    queue: 'default',
    payload: '{"to":"ada"}',
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: null,
    policy: '{}',
    keepMs: 1_000_000,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
    ...given,
  };
}

/** A stored task in any state, with whatever its number brings. */
function storedTask(number: number): Task {
  const {
    delayMs: _d,
    at: _a,
    startWithinMs: _s,
    expiresInMs: _e,
    blocks: _b,
    ...body
  } = newTask({
    name: ['mail.send', 'mail.read', 'pay'][number % 3] ?? 'pay',
    queue: ['default', 'slow'][number % 2] ?? 'slow',
    payload: JSON.stringify({ user: { plan: ['pro', 'free'][number % 2], n: number } }),
    priority: number % 10,
    key: number % 4 === 0 ? `key:${number % 8}` : null,
    tags: number % 3 === 0 ? ['red', `n${number % 5}`] : [],
  });
  const state: TaskState = taskStates[number % taskStates.length] ?? 'queued';
  const finishedAt = isFinished(state) ? start + number * 1_000 : null;
  const ran = state === 'running' || state === 'succeeded' || state === 'failed';
  return {
    ...body,
    state,
    reason:
      state === 'cancelled'
        ? number % 2 === 0
          ? 'expired'
          : 'user'
        : state === 'failed' && number % 2 === 0
          ? 'crash_loop'
          : null,
    version: 3,
    epoch: 1,
    attempt: number % 4,
    generation: 1,
    crashes: 0,
    interruptions: 0,
    snoozes: 0,
    workerId: ran ? `worker-${number % 2}` : null,
    leaseUntil: state === 'running' ? start + 30_000 : null,
    cancelRequestedAt: null,
    cancelReason: null,
    progress: null,
    checkpoints: [],
    result: state === 'succeeded' ? JSON.stringify({ bytes: number * 100 }) : null,
    error:
      state === 'failed'
        ? { name: 'Error', message: `Broken ${number % 3}`, stack: null, fingerprint: `f${number % 3}a` }
        : null,
    createdAt: start + number * 100,
    dueAt: start + number * 100,
    startBy: null,
    expiresAt: null,
    claimedAt: ran ? start + number * 150 : null,
    startedAt: ran ? start + number * 160 : null,
    finishedAt,
    pruneAt: finishedAt === null ? null : finishedAt + 10_000_000,
  };
}

function filterOf(text: string): Filter {
  return parseFilter(text);
}

async function pagesOf(filter: Filter, limit: number): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.history.search(filter, { after, limit });
    found.push(...page.tasks.map(({ id }) => id));
    if (page.next === null) return found;
    after = page.next;
  }
}

const terms = [
  'state:queued',
  'state:running',
  'state:failed',
  'state:retrying',
  'state:expired',
  'state:quarantined',
  'state:succeeded,failed',
  '-state:failed',
  'name:pay',
  'name:mail.*',
  '-name:pay',
  'name:pay,mail.read',
  'queue:slow',
  '-queue:slow',
  'worker:worker-1',
  '-worker:worker-1',
  'tag:red',
  '-tag:red',
  'key:key:4',
  '-key:key:4',
  'error:broken',
  '-error:"Broken 1"',
  'err:f1',
  '-err:f1',
  'attempt:>1',
  'attempt:1..2',
  '-attempt:0',
  'priority:high',
  'priority:>4',
  'took:>100ms',
  '-took:>100ms',
  'waited:>1s',
  'created:>1m',
  'since:1h',
  'until:10s',
  'input.user.plan:pro',
  'input.user.n:>30',
  'output.bytes:>2000',
  'pay',
  'mail.*',
  '-pay',
];

describe('search', () => {
  test('finds what the filter means, in pages of any size', async () => {
    const tasks = Array.from({ length: 70 }, (_, number) => storedTask(number));
    await store.broker.restore(tasks);
    now = start + 100_000;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom(...terms), { minLength: 0, maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        async (chosen, limit) => {
          const filter = filterOf(chosen.join(' '));
          const expected = tasks.filter((task) => matches(filter, task, now)).map(({ id }) => id);
          expect(await pagesOf(filter, limit)).toEqual(expected.sort().reverse());
        },
      ),
      { numRuns: 150 },
    );
  });

  test('finds by the beginning of an id', async () => {
    const tasks = Array.from({ length: 5 }, (_, number) => storedTask(number));
    await store.broker.restore(tasks);
    const [first] = tasks;
    expect(await pagesOf(filterOf(`id:${first?.id}`), 10)).toEqual([first?.id]);
    expect(await pagesOf(filterOf(`${first?.id}`), 10)).toEqual([first?.id]);
  });

  test('shows a preview instead of the payload', async () => {
    await store.broker.enqueue([newTask({ payload: JSON.stringify({ text: 'x'.repeat(2_000) }) })]);
    const { tasks } = await store.history.search(filterOf(''), { after: null, limit: 1 });
    expect(tasks[0]).toMatchObject({ view: 'queued', preview: expect.stringMatching(/^\{"text":"x{100,}…$/) });
    expect(tasks[0]).not.toHaveProperty('payload');
  });
});

describe('task', () => {
  test('tells what the row does not: earlier runs, log lines, what people did', async () => {
    const task = newTask();
    await store.broker.enqueue([task]);
    const claim = { workerId: 'w', token: 't', queues: [{ name: 'default', limit: 1 }], limit: 1, leaseMs: 1_000 };
    await store.broker.claim(claim);
    const error = { name: 'Error', message: 'No', stack: null, fingerprint: 'f' };
    await store.broker.settle([
      {
        lease: { taskId: task.id, token: 't' },
        verdict: { to: 'failed', reason: 'error', charge: 'attempt', keepMs: 1_000, result: null, error },
        ranMs: 0,
        progress: null,
        logs: [{ at: now, level: 'info', message: 'hello', fields: null }],
        spawn: [],
      },
    ]);
    now += 5;
    await store.broker.retry([task.id]);
    const record = await store.history.task(task.id);
    expect(record).toMatchObject({
      task: { id: task.id, state: 'queued', generation: 2 },
      attempts: [{ attempt: 1, to: 'failed', error }],
      logs: [{ epoch: 1, message: 'hello' }],
      timeline: [
        { kind: 'attempt', text: 'Attempt 1 ended as failed: Error: No' },
        { kind: 'retried', text: 'Retried by hand: generation 2' },
      ],
    });
  });

  test('is null for what is not there', async () => {
    expect(await store.history.task('nothing')).toBeNull();
  });
});

describe('numbers', () => {
  test('minutes and facets add up before and after folding', async () => {
    for (let round = 0; round < 120; round += 1) {
      const token = `t${round}`;
      await store.broker.enqueue([newTask({ name: round % 2 === 0 ? 'even' : 'odd' })]);
      const [claimed] = await store.broker.claim({
        workerId: 'w',
        token,
        queues: [{ name: 'default', limit: 1 }],
        limit: 1,
        leaseMs: 1_000,
      });
      now += 1_000;
      if (claimed === undefined) continue;
      await store.broker.settle([
        {
          lease: claimed.lease,
          verdict: { to: 'succeeded', reason: null, charge: 'attempt', keepMs: 1_000, result: 'null', error: null },
          ranMs: 1_000,
          progress: null,
          logs: [],
          spawn: [],
        },
      ]);
    }
    const minutes = await store.history.minutes({ from: 0, to: now + 1 });
    expect(minutes.reduce((sum, minute) => sum + minute.succeeded, 0)).toBe(120);
    expect(minutes.reduce((sum, minute) => sum + minute.runMs, 0)).toBe(120_000);
    expect(await store.history.facets()).toEqual({
      views: { succeeded: 120 },
      queues: { default: 120 },
      names: { even: 60, odd: 60 },
    });
  });

  test('the samples of a minute are stored once', async () => {
    const sample = { at: 60_000, queue: 'default', waiting: 1, running: 2, slots: 3, workers: 1 };
    expect(await store.history.sample([sample])).toBe(true);
    expect(await store.history.sample([{ ...sample, waiting: 9 }])).toBe(false);
    expect(await store.history.samples({ from: 0, to: 60_001 })).toEqual([sample]);
  });

  test('events come in order, after a number', async () => {
    await store.broker.enqueue([newTask()]);
    await store.broker.configure('queue', 'default', { pause: { by: 'ada', reason: null } });
    const events = await store.history.events(0, 10);
    expect(events.map(({ kind }) => kind)).toEqual(['enqueue', 'configure']);
    expect(await store.history.events(events[0]?.seq ?? 0, 10)).toEqual(events.slice(1));
  });
});
