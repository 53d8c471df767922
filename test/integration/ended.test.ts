/** What ended by minute and queue: added up over the names, and where there is too much of it the newest minutes whole, and none in part. */

import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { fold } from '../../src/broker/sql/counts.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { readEnded } from '../../src/broker/sql/ended.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { appendDelta } from '../../src/broker/sql/step.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { cumulate } from '../../src/core/latency.ts';
import { systemClock } from '../../src/core/time.ts';
import { onPostgres } from '../support/postgres-tests.ts';

const minuteMs = 60_000;
const endAt = 20_000 * 1_440 * minuteMs;
const minutes = 6;
const queues = ['q0', 'q1', 'q2', 'q3'];
type Driver = SqlDriver & { open(): Promise<void>; close(): unknown };

/** In each minute and queue three tasks of two names, which waited and ran differently; the newest minute is not folded yet. */
async function fill(driver: Driver): Promise<void> {
  onTestFinished(() => void driver.close());
  await driver.open();
  await migrate(driver, systemChance);
  for (let minute = 0; minute < minutes; minute += 1) {
    const deltas = queues.flatMap((queue) => [
      [
        queue,
        'a',
        2,
        0,
        0,
        1,
        100,
        20,
        [
          [0, 1, 4, 1],
          [0, 2],
        ],
      ],
      [
        queue,
        'b',
        0,
        1,
        0,
        0,
        7,
        9_000,
        [
          [1, 1],
          [16, 1],
        ],
      ],
    ]);
    if (minute === minutes - 1) await driver.transaction(fold);
    await driver.transaction((tx) =>
      tx.query(appendDelta, endAt + minute * minuteMs + 5, '[]', JSON.stringify(deltas)),
    );
  }
}

async function look(driver: Driver, limit: number) {
  const range = { from: endAt, to: endAt + minutes * minuteMs, limit };
  const { from, rows } = await driver.read((tx) => readEnded(tx, range));
  return { firstMinute: (from - endAt) / minuteMs, rows };
}

async function check(driver: Driver): Promise<void> {
  await fill(driver);
  const whole = await look(driver, 1_000);
  expect(whole.firstMinute).toBe(0);
  expect(whole.rows).toHaveLength(minutes * queues.length);
  for (const { waits, runs, at: _at, queue: _queue, ...sums } of whole.rows) {
    expect(sums).toEqual({ succeeded: 2, failed: 1, cancelled: 0, retried: 1, waitMs: 107, runMs: 9_020 });
    expect(cumulate(waits)).toEqual([1, 2, 2, 2, ...Array(13).fill(3)]);
    expect(cumulate(runs)).toEqual([...Array(16).fill(2), 3]);
  }
  // Five minutes are folded: of ten rows the last two are a part of the third minute from the end.
  const { firstMinute, rows } = await look(driver, 10);
  expect(firstMinute).toBe(3);
  const byPlace = (one: (typeof rows)[number], other: (typeof rows)[number]) =>
    one.at - other.at || (one.queue < other.queue ? -1 : 1);
  expect(rows.toSorted(byPlace)).toEqual(whole.rows.filter(({ at }) => at >= endAt + 3 * minuteMs).toSorted(byPlace));
  // Not one minute that is folded is whole: those that are not are told all the same.
  expect((await look(driver, 3)).rows.map(({ queue }) => queue).sort()).toEqual(queues);
}

test('sqlite', () =>
  check(createSqliteDriver({ file: ':memory:', now: () => endAt, clock: systemClock, chance: systemChance })));

await onPostgres((postgres) => {
  describe('postgres', () => {
    test('tells the same', { timeout: 60_000 }, () =>
      check(
        createPostgresDriver({
          address: readPostgresUrl(postgres.url),
          namespace: `ended ${randomBytes(4).toString('hex')}`,
          clock: systemClock,
          chance: systemChance,
        }),
      ),
    );
  });
});
