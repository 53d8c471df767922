/** Which indexes the tasks of a database have: those of a live store, until it becomes the record of one, and again when that ends. */

import { expect } from 'vitest';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { stayInForm, takeForm } from '../../src/broker/sql/form-indexes.ts';
import { endRecord } from '../../src/broker/sql/record-form.ts';
import { life, nobody, type RecordingCases, rowsOf } from './recording-samples.ts';

type Indexes = ReadonlyMap<string, string>;

async function indexesOf(driver: SqlDriver): Promise<Indexes> {
  const text =
    driver.dialect.name === 'sqlite'
      ? "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'tasks' ORDER BY name"
      : "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND schemaname = current_schema() ORDER BY indexname";
  return await driver.transaction(async (tx) => {
    // Which schema it is.
    await driver.lockMigrations(tx);
    return new Map(await tx.execute<[name: string, text: string]>(text));
  });
}

const waiting = ['tasks_ready', 'tasks_ready_group', 'tasks_ready_due', 'tasks_due', 'tasks_check_at'];

export const formCases: RecordingCases = {
  'has the indexes of a record from its first step on, and those that a live store has when it ends': async (
    record,
  ) => {
    const { driver, recording } = record;
    const live = await indexesOf(driver);
    for (const name of waiting) expect([...live.keys()]).toContain(name);

    await recording.follow(nobody, { incarnation: life, seq: 0 }, null);
    const recorded = [...(await indexesOf(driver)).keys()];
    expect(recorded).toContain('tasks_unfinished');
    for (const name of waiting) expect(recorded).not.toContain(name);

    await driver.transaction((tx) => takeForm(driver, tx, 'both'));
    expect([...(await indexesOf(driver)).keys()].sort()).toEqual([...live.keys(), 'tasks_unfinished'].sort());
    await driver.transaction((tx) => endRecord(driver, tx));
    expect(await indexesOf(driver)).toEqual(live);
  },

  'gets the indexes of a record where it was one before there were any, and a live store none': async (record) => {
    const { driver, recording } = record;
    const live = await indexesOf(driver);
    await stayInForm(driver);
    expect(await indexesOf(driver)).toEqual(live);

    await recording.follow(nobody, { incarnation: life, seq: 0 }, null);
    const recorded = await indexesOf(driver);
    await driver.transaction(async (tx) => {
      await takeForm(driver, tx, 'live');
      await tx.execute("INSERT INTO claims VALUES ('t', 'w', 1, 1, '[]')");
    });
    await stayInForm(driver);
    expect(await indexesOf(driver)).toEqual(recorded);
    expect(await rowsOf(driver, 'claims')).toBe(0);
  },
};
