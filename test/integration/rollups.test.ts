/** What is read of sums is what the minutes add up to: in whatever order these come, are folded and rolled up, and for whatever span. */

import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { fold } from '../../src/broker/sql/counts.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { migrations } from '../../src/broker/sql/migrations/index.ts';
import { pruneRollups, rollUpOld } from '../../src/broker/sql/rollups.ts';
import { appendDelta } from '../../src/broker/sql/step.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { seededChance, systemChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import type { ActivityQuery, Ended, Minute } from '../../src/history/history.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { onPostgres } from '../support/postgres-tests.ts';

const minuteMs = 60_000;
const [tensMs, hourMs, dayMs] = [10 * minuteMs, 60 * minuteMs, 1_440 * minuteMs];
/** Neither a whole hour nor a whole day. */
const endAt = 20_000 * dayMs + 17 * hourMs + 23 * minuteMs;
const days = 3;

type Driver = SqlDriver & { open(): Promise<void>; close(): unknown };
const old = migrations.filter(({ name }) => name < '0017');

interface World {
  readonly driver: Driver;
  /** From 0, below `end`. */
  below(end: number): number;
  /** Everything that ended, as it was told. */
  readonly told: Minute[];
}

async function openWorld(driver: Driver, seed: number): Promise<World> {
  onTestFinished(() => void driver.close());
  await driver.open();
  await migrate(driver, systemChance, old);
  const chance = seededChance(seed);
  return { driver, told: [], below: (end) => Math.floor(chance.float() * end) };
}

/** Something ended in a minute of the last days, mostly of late. */
function end({ below, told }: World, most = days * 1_440): Minute {
  const ago = below(4) === 0 ? below(most) : below(Math.min(most, 150));
  const minute = {
    at: Math.floor(endAt / minuteMs) * minuteMs - ago * minuteMs,
    queue: `q${below(3)}`,
    name: `n${below(3)}`,
    succeeded: below(5),
    failed: below(2),
    cancelled: below(2),
    retried: below(2),
    waitMs: below(1_000),
    runMs: below(1_000),
  };
  told.push(minute);
  return minute;
}

async function endOne(world: World): Promise<void> {
  const { at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs } = end(world);
  const delta = [[queue, name, succeeded, failed, cancelled, retried, waitMs, runMs]];
  await world.driver.transaction((tx) => tx.query(appendDelta, at + 7, '[]', JSON.stringify(delta)));
}

const foldOne = ({ driver }: World) => driver.transaction(fold);

/** As an earlier version has kept it: in minutes alone. */
async function keepOld(world: World, most?: number): Promise<void> {
  await world.driver.transaction(async (tx) => {
    for (const { at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs } of Array.from(
      { length: 60 },
      () => end(world, most),
    )) {
      await tx.execute(
        `INSERT INTO minutes (at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (at, queue, name) DO UPDATE SET succeeded = minutes.succeeded + excluded.succeeded, failed = minutes.failed + excluded.failed,
           cancelled = minutes.cancelled + excluded.cancelled, retried = minutes.retried + excluded.retried,
           wait_ms = minutes.wait_ms + excluded.wait_ms, run_ms = minutes.run_ms + excluded.run_ms`,
        ...[at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs],
      );
    }
  });
}

type Sums = Record<string, readonly number[]>;

function sum<Row extends Ended>(
  rows: readonly Row[],
  keyOf: (row: Row) => unknown,
  more: (row: Row) => number[],
): Sums {
  const sums: Record<string, number[]> = {};
  for (const row of rows) {
    const numbers = [row.succeeded, row.failed, row.cancelled, row.retried, ...more(row)];
    if (numbers.every((number) => number === 0)) continue;
    const key = JSON.stringify(keyOf(row));
    sums[key] = numbers.map((number, index) => number + (sums[key]?.[index] ?? 0));
  }
  return sums;
}

const nothing = () => [];
const ranMs = ({ runMs }: { readonly runMs: number }) => [runMs];

/** Any span of whole minutes, as it is asked about. */
function drawQuery({ below }: World): ActivityQuery {
  const to = Math.floor(endAt / minuteMs) * minuteMs + minuteMs - below(2) * below(1_440) * minuteMs;
  const partMs = [2 * minuteMs, 12 * minuteMs, hourMs, 2 * hourMs, 6 * hourMs][below(5)] ?? hourMs;
  const from = to - partMs * (1 + below(12));
  const recent = { from: to - below(9) * minuteMs, to: to - below(2) * minuteMs };
  const namesFrom = from + (below(3) - 1) * below(1_440) * minuteMs;
  return { from, to, stepMs: [minuteMs, tensMs, 3 * tensMs][below(3)] ?? minuteMs, partMs, recent, namesFrom };
}

async function check(world: World, query: ActivityQuery): Promise<void> {
  const { from, to, stepMs, partMs, recent, namesFrom } = query;
  const history = createSqlHistory(world.driver, systemClock);
  const ended = world.told.filter(({ at }) => at >= from && at < to);
  /** Ten minutes are not divided where they are added up. */
  const part = (at: number, ms: number, isTens: boolean) =>
    Math.floor((Math.max(from, isTens ? at - (at % tensMs) : at) - from) / ms);
  const step = (at: number) => Math.floor((Math.max(from, at - (at % stepMs)) - from) / stepMs);
  const activity = await history.activity(query);
  expect(sum(activity.steps, ({ at }) => step(at), nothing)).toEqual(sum(ended, ({ at }) => step(at), nothing));
  expect(sum(activity.parts, (row) => [row.part, row.queue], nothing)).toEqual(
    sum(ended, ({ at, queue }) => [part(at, partMs, partMs >= hourMs), queue], nothing),
  );
  const lately = ended.filter(({ at }) => at >= recent.from && at < recent.to);
  expect(sum(activity.recent, ({ queue }) => queue, nothing)).toEqual(sum(lately, ({ queue }) => queue, nothing));
  const keyOf = ({ queue, name }: { readonly queue: string; readonly name: string }) => [queue, name];
  const named = ended.filter(({ at }) => at >= namesFrom);
  expect(sum(activity.names, keyOf, ranMs)).toEqual(sum(named, keyOf, ranMs));
}

/** Hours, on pages of a few rows. */
async function checkHours({ driver, told, below }: World): Promise<void> {
  const history = createSqlHistory(driver, systemClock);
  const to = Math.floor(endAt / hourMs) * hourMs + hourMs;
  const from = to - (1 + below(days * 24)) * hourMs;
  const hours = await history.minutes({ from, to, step: 'hour' });
  const ended = told.filter(({ at }) => at >= from && at < to);
  const numbers = ({ waitMs, runMs }: Minute) => [waitMs, runMs];
  const keyOf = ({ at, queue, name }: Minute) => [at - (at % hourMs), queue, name];
  expect(sum(hours, keyOf, numbers)).toEqual(sum(ended, keyOf, numbers));
  expect(new Set(hours.map((row) => JSON.stringify(keyOf(row)))).size).toBe(hours.length);
  expect(hours.every(({ at }) => at % hourMs === 0)).toBe(true);
  expect(await history.minutes({ from, to, step: 'hour', limit: 5 })).toEqual(hours.slice(0, 5));
}

async function run(driver: Driver, seed: number): Promise<void> {
  const world = await openWorld(driver, seed);
  const isOld = world.below(3) > 0;
  if (isOld) await keepOld(world);
  if (world.below(2) === 0) await endOne(world);
  await migrate(driver, systemChance);
  for (let step = 0; step < 25; step += 1) {
    const drawn = world.below(10);
    if (drawn < 5) await endOne(world);
    else if (drawn < 7) await foldOne(world);
    else if (drawn < 9) await rollUpOld(driver, 1 + world.below(3));
    else await Promise.all([foldOne(world), rollUpOld(driver, 2), rollUpOld(driver, 2)]);
    if (step % 3 === 0) await check(world, drawQuery(world));
  }
  await checkHours(world);
  await rollUpOld(driver, 1_000);
  await foldOne(world);
  for (let again = 0; again < 4; again += 1) await check(world, drawQuery(world));
  await checkHours(world);
}

const sqlite = (): Driver =>
  createSqliteDriver({ file: ':memory:', now: () => endAt, clock: systemClock, chance: systemChance });
const postgres = (url: string): Driver => {
  const namespace = `rolled ${randomBytes(4).toString('hex')}`;
  return createPostgresDriver({
    address: readPostgresUrl(url),
    namespace,
    clock: systemClock,
    chance: systemChance,
  });
};

/** When every hour is rolled up, and what each row that is kept is of. */
async function rollsUp(driver: Driver): Promise<void> {
  const world = await openWorld(driver, 1);
  await keepOld(world);
  await migrate(driver, systemChance);
  const marks = () => driver.read((tx) => tx.execute('SELECT at FROM rollups WHERE span = 0'));
  expect(await marks()).toHaveLength(1);
  await rollUpOld(driver, 1_000);
  expect(await marks()).toEqual([]);
  const kept = await driver.read((tx) =>
    tx.execute('SELECT span, sum(succeeded) FROM rollups GROUP BY span ORDER BY span'),
  );
  const ended = world.told.reduce((all, { succeeded }) => all + succeeded, 0);
  expect(kept).toEqual([minuteMs, tensMs, hourMs].map((span) => [span, ended]));
}

/** A process of an earlier version folds while this one runs: into minutes alone. */
async function mends(driver: Driver): Promise<void> {
  const world = await openWorld(driver, 1);
  await keepOld(world);
  await migrate(driver, systemChance);
  await endOne(world);
  await foldOne(world);
  for (const hoursMax of [2, 1_000]) {
    await rollUpOld(driver, hoursMax);
    await keepOld(world, 100);
    await Promise.all([rollUpOld(driver, 1), foldOne(world), rollUpOld(driver, 1)]);
    await rollUpOld(driver, 1);
    for (let again = 0; again < 10; again += 1) await check(world, drawQuery(world));
    await checkHours(world);
  }
}

/** Minutes and tens go with the minutes, hours are kept for longer; an hour that is not rolled up is known as such. */
async function prunes(driver: Driver): Promise<void> {
  const world = await openWorld(driver, 1);
  await keepOld(world);
  await migrate(driver, systemChance);
  await rollUpOld(driver, 2);
  const spansKept = async (now: number) => {
    await driver.transaction((tx) => pruneRollups({ tx, now }));
    const rows = await driver.read((tx) => tx.execute('SELECT DISTINCT span FROM rollups ORDER BY span'));
    return rows.map(([span]) => span);
  };
  expect(await spansKept(endAt)).toEqual([0, minuteMs, tensMs, hourMs]);
  expect(await spansKept(endAt + limits.minutesKeepMs)).toEqual([0, hourMs]);
  expect(await spansKept(endAt + limits.hoursKeepMs + hourMs)).toEqual([0]);
}

describe('SQLite', () => {
  test('sums are what the minutes add up to', { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 40; seed += 1) await run(sqlite(), seed);
  });
  test('what an earlier version has kept is rolled up', () => rollsUp(sqlite()));
  test('sums are kept for as long as it is said', () => prunes(sqlite()));
  test('what an earlier version still folds is in the sums later', () => mends(sqlite()));
});

await onPostgres(({ url }) => {
  describe('Postgres', () => {
    test('sums are what the minutes add up to', { timeout: 120_000 }, async () => {
      for (let seed = 101; seed <= 106; seed += 1) await run(postgres(url), seed);
    });
    test('what an earlier version has kept is rolled up', () => rollsUp(postgres(url)));
    test('sums are kept for as long as it is said', () => prunes(postgres(url)));
    test('what an earlier version still folds is in the sums later', () => mends(postgres(url)));
  });
});
