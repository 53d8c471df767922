/** Compares a record with the history of the store it follows, over random lives, batches of any cut, and recorders that race. */

import { expect, test } from 'vitest';
import type { TaskBody } from '../../src/broker/broker.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { recount } from '../../src/broker/sql/recount.ts';
import { type Chance, seededChance } from '../../src/core/chance.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { isFinished } from '../../src/core/states.ts';
import { systemClock } from '../../src/core/time.ts';
import type { History } from '../../src/history/history.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import type { Recording } from '../../src/history/recording.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { startAt } from '../conformance/samples.ts';
import type { CreateDatabase } from '../support/record-databases.ts';
import { createRecordedLife, type RecordedLife } from './recorded-life.ts';

const incarnation = 'life';

/** `RECORDING_RUNS` and `RECORDING_SEED` ask for others. */
export function compareRecords(storeName: string, createDatabase: CreateDatabase, runs: number): void {
  const { RECORDING_RUNS, RECORDING_SEED } = process.env;
  const first = Number(RECORDING_SEED ?? 1);
  const seeds = Array.from({ length: Number(RECORDING_RUNS ?? runs) }, (_each, index) => first + index);

  test.each(seeds)(`${storeName}: what is recorded at once is all that happened, by seed %i`, async (seed) => {
    await live(createDatabase, seed, 'at once');
  });
  test.each(seeds)(`${storeName}: what is recorded late is all that still stands, by seed %i`, async (seed) => {
    await live(createDatabase, seed, 'late');
  });
}

type Pace = 'at once' | 'late';

async function live(createDatabase: CreateDatabase, seed: number, pace: Pace): Promise<void> {
  const clock = { now: startAt };
  const chance = seededChance(seed);
  const life = await createRecordedLife(chance, clock);
  const { driver, close } = await createDatabase(clock);
  try {
    const record = await follow(life, driver, chance);
    for (let steps = 0; steps < 120; steps++) {
      await life.step();
      if (pace === 'at once') await record.catchUp();
      else if (chance.float() < 0.2) await record.step();
    }
    await life.rest();
    await record.catchUp();
    await compare(life, driver, pace);
    // A record keeps the parents of what is unfinished, those that were removed and came back too.
    await life.end();
    await record.catchUp();
    await life.prune();
    await record.catchUp();
    await createSqlRecording(driver).prune(1_000);
    await compare(life, driver, pace);
  } finally {
    await close();
    await life.close();
  }
}

/** Two recorders of one record. */
async function follow(life: RecordedLife, driver: SqlDriver, chance: Chance) {
  const recorders = [createSqlRecording(driver), createSqlRecording(driver)] as const;
  const [first, second] = recorders;
  expect(await first.follow({ incarnation: null, seq: 0 }, { incarnation, seq: 0 }, null)).toBe(true);
  expect(await second.follow({ incarnation: null, seq: 0 }, { incarnation, seq: 0 }, null)).toBe(false);
  let old: readonly TaskBody[] = [];

  const read = async (recording: Recording) => {
    const { seq: after } = await recording.cursor();
    const events = await life.events(after, 1 + Math.floor(chance.float() * 12));
    const named = events.flatMap(({ items }) => items.map(({ taskId }) => taskId));
    const bodies = await life.bodies(named);
    // Read long ago, and about tasks that the events do not name: they must change nothing. Of one that is removed meanwhile none
    // comes: what was read before its removal is in no batch behind that.
    const there = new Set((await life.bodies(old.map(({ task }) => task.id))).map(({ task }) => task.id));
    const isStale = ({ task: { id } }: TaskBody): boolean => there.has(id) && !named.includes(id);
    const stale = old.filter((body) => isStale(body) && chance.float() < 0.3);
    old = bodies;
    return { incarnation, after, upTo: events.at(-1)?.seq ?? after, events, bodies: [...bodies, ...stale] };
  };
  const step = async (): Promise<boolean> => {
    const batch = await read(first);
    if (batch.events.length === 0) return false;
    if (chance.float() < 0.3) {
      const other = await read(second);
      const done = await Promise.all([first.record(batch), second.record(other)]);
      expect(done.filter((isDone) => isDone)).toHaveLength(1);
    } else expect(await first.record(batch)).toBe(true);
    // It comes twice, after an answer that was lost.
    if (chance.float() < 0.2) expect(await second.record(batch)).toBe(false);
    return true;
  };
  return {
    step,
    catchUp: async () => {
      while (await step());
    },
  };
}

async function compare(life: RecordedLife, driver: SqlDriver, pace: Pace): Promise<void> {
  const record = createSqlHistory(driver, systemClock, { form: 'record' });
  for (const id of life.taskIds()) {
    const [expected, told] = [await life.history.task(id), await record.task(id)];
    expect({ ...told, notes: null, timeline: null }, id).toEqual({ ...expected, notes: null, timeline: null });
    if (pace === 'at once') expect(told?.notes.map(unworded), id).toEqual(expected?.notes.map(unworded));
    if (pace === 'at once') expect(told?.timeline.map(unworded), id).toEqual(expected?.timeline.map(unworded));
  }
  for (const text of filters) {
    expect(await idsOf(record, text), text).toEqual(await idsOf(life.history, text));
  }
  expect(await record.facets()).toEqual(await life.history.facets());
  expect(await record.flows({ after: null, limit: 500 })).toEqual(
    await life.history.flows({ after: null, limit: 500 }),
  );
  expect(await minutesOf(record, pace)).toEqual(await minutesOf(life.history, pace));
  expect(await happened(record)).toEqual(await happened(life.history));
  expect(await unfinishedOf(driver)).toEqual(await unfinishedIn(life));
  expect((await recount(driver)).discrepancies.filter(({ what }) => what === 'count')).toEqual([]);
}

/** What an edit was is told by no event. */
function unworded({ at, kind, text }: { readonly at: number; readonly kind: string; readonly text: string }) {
  return { at, kind, text: kind === 'edited' ? text.slice(0, 'Edited by hand'.length) : text };
}

const filters = [
  '',
  ...['queued', 'blocked', 'scheduled', 'running', 'succeeded', 'failed', 'cancelled', 'expired', 'retrying'].map(
    (state) => `state:${state}`,
  ),
  'name:one',
  'queue:b',
  'tag:red',
  'key:k',
  'flow:01*',
  'err:*',
  'attempt:>=2',
  'input.to:ada',
];

async function idsOf(history: History, text: string): Promise<unknown> {
  const { tasks } = await history.search(parseFilter(text), { after: null, limit: 500 });
  return tasks.map(({ id, state, preview, version }) => ({ id, state, preview, version }));
}

/** Whoever reads late does not see how runs ended of which a later life, or nothing, is left. */
async function minutesOf(history: History, pace: Pace): Promise<unknown> {
  const minutes = await history.minutes({ from: 0, to: Number.MAX_SAFE_INTEGER });
  if (pace === 'at once') return minutes;
  return minutes
    .map(({ at, queue, name, succeeded, failed, cancelled }) => ({ at, queue, name, succeeded, failed, cancelled }))
    .filter(({ succeeded, failed, cancelled }) => succeeded + failed + cancelled > 0);
}

async function happened(history: History): Promise<unknown> {
  const events = await history.events(0, 1_000);
  return events.filter(({ kind }) => kind !== 'prune').map(({ at, kind, items }) => ({ at, kind, items }));
}

async function unfinishedOf(driver: SqlDriver): Promise<readonly string[]> {
  const recording = createSqlRecording(driver);
  const ids: string[] = [];
  for (;;) {
    const page = await recording.unfinished(ids.at(-1) ?? null, 3);
    if (page.length === 0) return ids;
    ids.push(...page.map(({ id }) => id));
  }
}

async function unfinishedIn(life: RecordedLife): Promise<readonly string[]> {
  const bodies = await life.bodies(life.taskIds());
  return bodies
    .filter(({ task }) => !isFinished(task.state))
    .map(({ task }) => task.id)
    .sort();
}
