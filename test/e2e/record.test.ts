/** Recorders are killed at any moment: the record has every task as it stands, and has counted each end once. */

import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectDriver } from '../../src/broker/connect.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { recount } from '../../src/broker/sql/recount.ts';
import { createToken, seededChance, systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';
import { createRecorder } from '../../src/engine/recorder.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { wait as again, claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { createScenario, type Scenario, until } from './processes.ts';

/** How long tasks come at least, how many recorders are killed at least, and how long one lives in the middle. */
const loadMs = 5_000;
const killsMin = 4;
const lifeMs = 400;

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

await onOwnRedis(async ({ path }) => {
  const ids = createIds(systemClock, systemChance);

  /** Enqueues, runs and fails tasks until it is told to end. Answers the ids, and how many ended in each way. */
  async function load(broker: ReturnType<typeof createRedisBroker>, isOver: () => boolean) {
    const chance = seededChance(5);
    const taskIds: string[] = [];
    const ends = { succeeded: 0, failed: 0, cancelled: 0 };
    while (!isOver()) {
      const tasks = Array.from({ length: 40 }, () =>
        newTask(ids.next(), { flowId: chance.float() < 0.1 ? ids.next() : null }),
      );
      taskIds.push(...tasks.map(({ id }) => id));
      await broker.enqueue(tasks);
      const claimed = await broker.claim(claimRequest(createToken(systemChance), { limit: 40 }));
      const verdicts = claimed.map(() => {
        const to = chance.float() < 0.2 ? 'queued' : chance.float() < 0.2 ? 'failed' : 'succeeded';
        return to === 'queued' ? again('queued') : finish(to);
      });
      for (const { to } of verdicts) if (to === 'failed' || to === 'succeeded') ends[to] += 1;
      await broker.settle(
        claimed.map(({ lease, task }, index) => settlement(task.id, lease, verdicts[index] ?? again('queued'))),
      );
      const some = taskIds[Math.floor(chance.float() * taskIds.length)] ?? '';
      const [cancelled] = await broker.cancel({ taskIds: [some], reason: 'by ada' });
      if (cancelled?.outcome === 'cancelled') ends.cancelled += 1;
      else if (chance.float() < 0.5) await broker.retry([some]);
    }
    return { taskIds, ends };
  }

  async function show(namespace: string, record: string): Promise<void> {
    const broker = createRedisBroker({ address: { path }, namespace });
    await broker.open();
    const driver = connectDriver(record, {});
    await driver.open();
    await migrate(driver, systemChance);
    const [recording, history] = [createSqlRecording(driver), createSqlHistory(driver, systemClock)];
    const startRecorder = () => scenario.start('recorder.ts', { path, namespace, record });
    const endsAt = systemClock.elapsed() + loadMs;
    let killed = 0;
    // On a busy machine few of them come up in that time.
    const isOver = (): boolean => killed >= killsMin && systemClock.elapsed() > endsAt;
    const loading = load(broker, isOver);
    for (const recorders = [startRecorder()]; !isOver(); killed++) {
      recorders.push(startRecorder());
      await recorders.at(-1)?.heard('ready');
      // What is waited for is the time itself: a recorder may be anywhere when it ends.
      await wait(systemChance.float() * lifeMs);
      recorders.shift()?.send('SIGKILL');
    }
    const { taskIds, ends } = await loading;
    await startRecorder().heard('ready');
    const { lastSeq } = await broker.outbox.state();
    await until('all is recorded', async () => (await recording.cursor()).seq === lastSeq);

    for (let from = 0; from < taskIds.length; from += 500) {
      const part = taskIds.slice(from, from + 500);
      expect(await recording.tasks(part)).toEqual(await broker.getTasks(part));
    }
    const told = { succeeded: 0, failed: 0, cancelled: 0 };
    for (const minute of await history.minutes({ from: 0, to: Number.MAX_SAFE_INTEGER }))
      for (const state of ['succeeded', 'failed', 'cancelled'] as const) told[state] += minute[state];
    expect(told).toEqual(ends);
    expect((await recount(driver)).discrepancies.filter(({ what }) => what === 'count')).toEqual([]);
    expect(await recording.unrecorded(1)).toEqual([]);
    expect(await recording.gaps(1)).toEqual([]);
    await Promise.all([broker.close(), driver.close()]);
  }

  /** Kills a recorder before each of its steps, one further each time, until one comes through; another then catches up. */
  async function showSteps(record: string): Promise<void> {
    const namespace = createToken(systemChance);
    const broker = createRedisBroker({ address: { path }, namespace });
    await broker.open();
    const driver = connectDriver(record, {});
    await driver.open();
    await migrate(driver, systemChance);
    const recording = createSqlRecording(driver);
    const recorder = createRecorder({
      broker,
      outbox: broker.outbox,
      recording,
      clock: systemClock,
      chance: systemChance,
      report: () => undefined,
    });
    let steps = 0;
    for (let isThrough = false; !isThrough; steps++) {
      const tasks = Array.from({ length: 4 }, () => newTask(ids.next(), { tags: [`step ${steps}`] }));
      await broker.enqueue(tasks);
      const claimed = await broker.claim(claimRequest(createToken(systemChance), { limit: 3 }));
      const verdicts = [finish('succeeded'), finish('failed'), again('queued')] as const;
      await broker.settle(
        claimed.map(({ lease, task }, index) => settlement(task.id, lease, verdicts[index] ?? again('queued'))),
      );
      const child = scenario.start('recorder.ts', { path, namespace, record, diesAt: steps });
      await until(
        'it is killed, or through',
        () => !child.isRunning() || child.said.some(({ event }) => event === 'trimmed'),
      );
      isThrough = child.isRunning();
      child.send('SIGKILL');
      expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
      recorder.start();
      const { lastSeq } = await broker.outbox.state();
      await until('the next one has caught up', async () => (await recording.cursor()).seq === lastSeq);
      await recorder.stop();
      const taskIds = tasks.map(({ id }) => id);
      expect(await recording.tasks(taskIds)).toEqual(await broker.getTasks(taskIds));
      expect((await recount(driver)).discrepancies.filter(({ what }) => what === 'count')).toEqual([]);
    }
    const minutes = await createSqlHistory(driver, systemClock).minutes({ from: 0, to: Number.MAX_SAFE_INTEGER });
    const told = minutes.reduce((sum, { succeeded, failed }) => sum + succeeded + failed, 0);
    expect(told).toBe(2 * steps);
    expect(await recording.gaps(1)).toEqual([]);
    // Two calls to find its place, four of a round and the statements of a transaction.
    expect(steps).toBeGreaterThan(12);
    await Promise.all([broker.close(), driver.close()]);
  }

  test('a recorder that is killed before any of its steps into SQLite records each change once', () =>
    showSteps(`sqlite:${scenario.folder}/record.db`));

  test('what killed recorders left in SQLite is all that happened', () =>
    show('into SQLite', `sqlite:${scenario.folder}/record.db`));

  await onPostgres(({ url, createDatabase }) => {
    test('a recorder that is killed before any of its steps into Postgres records each change once', async () =>
      showSteps(await createDatabase()));

    test('what killed recorders left in Postgres is all that happened', () => show('into Postgres', url));
  });
});
