/** Every page, list and search of `npm run bench -- rows`, among as many finished tasks as are asked for: none needs a seventh statement. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, expect, test } from 'vitest';
import { buildPostgres, explainPostgres } from '../../bench/rows/build-postgres.ts';
import { buildSqlite } from '../../bench/rows/build-sqlite.ts';
import { casesOf } from '../../bench/rows/cases.ts';
import { type Asked, type Measured, measure } from '../../bench/rows/measure.ts';
import { connect } from '../../src/broker/connect.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { onPostgres } from '../support/postgres-tests.ts';

/** `PLAN_TASKS=1000000` asks the same of a million. */
const tasks = Number(process.env.PLAN_TASKS ?? 4_000);
const folder = mkdtempSync(join(tmpdir(), 'taskflow-rows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(url: string, endAt: number): Promise<readonly Measured[]> {
  const asked: Asked[] = [];
  const store = connect(url, { onStatement: (text, values) => void asked.push({ text, values }) });
  await store.broker.open();
  const measured = await measure({ store, pages: createPages({ version: '0.0.0' }), asked }, casesOf(tasks, endAt), 1);
  await store.close();
  expect(measured.filter(({ statements }) => statements > 6)).toEqual([]);
  // Those that are there are found, at once or further down.
  const found = Object.fromEntries(measured.map((each) => [each.name, Number.parseInt(each.found, 10)]));
  expect(found).toMatchObject({ newest: 50, 'state:succeeded': 50, 'tag, no match': 0, 'queue that is not there': 0 });
  return measured;
}

/** The statements that went through most tasks, with their plans. Whoever stops at the first row of a table reads it too. */
async function wideOf(url: string, measured: readonly Measured[]): Promise<readonly string[]> {
  const explain = await explainPostgres(url);
  const wide: string[] = [];
  for (const { name, slowest } of measured)
    for (const one of slowest) {
      const plan = await explain.plan(one);
      if (plan.split('->').some((step) => readIn(step) > tasks / 2)) wide.push(`${name}: ${plan}`);
    }
  await explain.close();
  return wide;
}

/** Rows that a step of a plan has read from all tasks, without an index. */
function readIn(step: string): number {
  if (!step.includes('Seq Scan on tasks')) return 0;
  const number = (pattern: RegExp): number => Number(pattern.exec(step)?.[1] ?? 0);
  return (number(/actual time=\S+ rows=(\d+)/) + number(/Rows Removed by Filter: (\d+)/)) * number(/loops=(\d+)/);
}

test(`SQLite among ${tasks} finished tasks`, { timeout: 900_000 }, async () => {
  const file = join(folder, 'rows.db');
  const endAt = Date.now();
  await buildSqlite(file, tasks, endAt);
  await check(`sqlite:${file}`, endAt);
});

await onPostgres(({ url }) => {
  test(`Postgres among ${tasks} finished tasks`, { timeout: 900_000 }, async () => {
    const endAt = Date.now();
    await buildPostgres(url, tasks, endAt);
    expect(await wideOf(url, await check(url, endAt))).toEqual([]);
  });
});
