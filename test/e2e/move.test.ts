/** Moves are killed at any moment and repeated until one comes to its end: nothing is lost, and nothing is there twice. */

import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { createToken, systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { createScenario, type Scenario } from './processes.ts';

/** A store as it is opened: its broker, and the record beside it. */
interface Place {
  readonly broker: string;
  readonly store?: string;
}

/** Every way is begun some five times, by a process of its own. */
const withinMs = 300_000;

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

const ids = createIds(systemClock, systemChance);
const queues = [{ name: 'default', limit: 500 }];

async function inside<Answer>({ broker, store }: Place, work: (store: Store) => Promise<Answer>) {
  const opened = connect(broker, { store: store ?? null, folder: scenario.folder });
  await opened.broker.open();
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** Claims as many, and lets each succeed, fail or wait again. Answers whom it has claimed. */
async function run({ broker }: Store, calls: number, to?: 'succeeded'): Promise<readonly string[]> {
  const ran: string[] = [];
  for (let call = 0; call < calls; call++) {
    const claimed = await broker.claim(claimRequest(createToken(systemChance), { limit: 500, queues }));
    if (claimed.length === 0) break;
    ran.push(...claimed.map(({ task }) => task.id));
    const ends = claimed.map(({ lease, task }, index) =>
      settlement(task.id, lease, finish(to ?? (index % 3 === 0 ? 'failed' : 'succeeded'), { result: '{"ok":true}' })),
    );
    // Some are left running, as if their worker had died.
    await broker.settle(to === undefined ? ends.slice(0, 400) : ends);
  }
  return ran;
}

/** Some of each state, with keys, groups and a schedule. Answers the ids of all. */
async function fill(store: Store): Promise<readonly string[]> {
  const taskIds: string[] = [];
  for (let batch = 0; batch < 10; batch++) {
    const tasks = Array.from({ length: 500 }, (_, index) => {
      const parent = taskIds.at(-1);
      return newTask(ids.next(), {
        payload: JSON.stringify({ index, text: 'é"\\'.repeat(index % 30) }),
        ...(index % 5 === 0 && { key: `${batch} ${index}`, keyForMs: 3_600_000 }),
        ...(index % 7 === 0 && { group: `g${index % 4}` }),
        ...(index % 11 === 0 && { delayMs: 3_600_000 }),
        ...(index % 13 === 0 && parent !== undefined && { dependsOn: [{ taskId: parent, onFailure: 'ignore' }] }),
      });
    });
    await store.broker.enqueue(tasks);
    taskIds.push(...tasks.map(({ id }) => id));
  }
  await run(store, 3);
  const next = { at: 4_000_000_000_000, dueAt: 4_000_000_000_000 };
  await store.broker.schedules.put([{ name: 'nightly', definition: '{"cron":"0 2 * * *"}', next }]);
  return taskIds;
}

/** Every task as it stands or ended, whoever keeps it, and the kept counts. */
async function seen({ broker, history, recording }: Store, taskIds: readonly string[]): Promise<object> {
  const tasks: object[] = [];
  for (let from = 0; from < taskIds.length; from += 500) {
    const part = taskIds.slice(from, from + 500);
    const found = await broker.getTasks(part);
    const recorded = recording === undefined ? found : await recording.tasks(part);
    tasks.push(...found.map((task, index) => ({ ...(task ?? recorded[index]), token: null })));
  }
  return { tasks, facets: await history.facets(), schedules: await broker.schedules.list(null, 10) };
}

/** Repeats the command, killed later each time. Answers how often it was killed. */
async function moveKilled(from: string, to: string): Promise<number> {
  for (let [kills, lifeMs] = [0, 400]; ; kills++, lifeMs *= 1.5) {
    const child = scenario.command(['db', 'move', '--from', from, '--to', to, '--json']);
    // What is waited for is the time itself: the move may be anywhere when it ends.
    const isOver = await Promise.race([
      child.exited.then(() => true),
      wait(lifeMs * (0.5 + systemChance.float() / 2), false),
    ]);
    child.send('SIGKILL');
    const { code } = await child.exited;
    if (!isOver) continue;
    expect([code, child.complaints()]).toEqual([0, expect.stringContaining('Start servers and workers with')]);
    // Killed behind its last step it has nothing left to do.
    expect(JSON.parse(child.output())).toMatchObject({ status: expect.stringMatching(/^(moved|already)$/) });
    return kills;
  }
}

/** Brings a filled store from one place to the next, and lets everything run in the last one. */
async function show(places: readonly [Place, ...Place[]]): Promise<void> {
  const [first, ...others] = places;
  const taskIds = await inside(first, fill);
  let [place, kills] = [first, 0];
  for (const next of others) {
    const before = await inside(place, (store) => seen(store, taskIds));
    kills += await moveKilled(place.broker, next.broker);
    expect(await inside(next, (store) => seen(store, taskIds))).toEqual(before);
    place = next;
  }
  expect(kills).toBeGreaterThan(2);
  await inside(place, async (store) => {
    const queued = await queuedOf(store, taskIds);
    const ran = await run(store, 40, 'succeeded');
    expect(queued.length).toBeGreaterThan(1_000);
    expect(ran).toEqual(expect.arrayContaining([...queued]));
    expect([new Set(ran).size, await queuedOf(store, taskIds)]).toEqual([ran.length, []]);
  });
}

async function queuedOf({ broker }: Store, taskIds: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (let from = 0; from < taskIds.length; from += 500)
    for (const task of await broker.getTasks(taskIds.slice(from, from + 500)))
      if (task?.state === 'queued') found.push(task.id);
  return found;
}

await onOwnRedis(async ({ url }) => {
  const redis = `${url}?durability=any`;

  afterEach(async () => {
    const client = new Redis(url);
    await client.flushall();
    client.disconnect();
  });

  test(
    'from SQLite into Redis, and home',
    async () => {
      const sqlite = { broker: 'sqlite:./store.db' };
      await show([sqlite, { broker: redis, store: sqlite.broker }, sqlite]);
    },
    withinMs,
  );

  await onPostgres(({ createDatabase }) => {
    test(
      'from SQLite to Postgres, from there into Redis, home and to SQLite again',
      async () => {
        const postgres = { broker: await createDatabase() };
        const redisAndRecord = { broker: redis, store: postgres.broker };
        await show([
          { broker: 'sqlite:./store.db' },
          postgres,
          redisAndRecord,
          postgres,
          { broker: 'sqlite:./last.db' },
        ]);
      },
      withinMs,
    );
  });
});
