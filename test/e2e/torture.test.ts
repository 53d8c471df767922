/** A torture of some seconds ends well; and had anything gone wrong in it, its judge would have seen it. */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import type { ProcessEntry, SettingEntry } from '../../src/checker/evidence.ts';
import { createJudge, type Judge } from '../../src/checker/judge.ts';
import type { Verdict } from '../../src/checker/verdict.ts';
import { systemChance } from '../../src/core/chance.ts';
import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import { systemClock } from '../../src/core/time.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { createFollower } from '../../src/torture/follower.ts';
import { type Author, fatesPath, settingsPath } from '../../src/torture/notes.ts';
import { showRows } from '../../src/torture/remains.ts';
import { createTicks } from '../../src/torture/ticks.ts';
import type { Report } from '../../src/torture/torture.ts';
import { createScenario, type Scenario } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

const real = { now: systemClock.now, clock: systemClock, chance: systemChance };

const linesOf = <Line>(path: string): readonly Line[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** Judges what a run has left once more, with some of its events bent. */
async function judgeAgain(
  folder: string,
  bend: (event: BatchEvent) => BatchEvent = (event) => event,
): Promise<Verdict> {
  const judge = createJudge({ forgets: false, toldWithinMs: 5_000 });
  const bent = new Proxy(judge, {
    get: (target, name: keyof Judge) =>
      name === 'event' ? (event: BatchEvent) => target.event(bend(event)) : bound(target, name),
  });
  const driver = createSqliteDriver({ file: join(folder, 'store.db'), ...real });
  await driver.open();
  const history = createSqlHistory(driver, systemClock);
  const ticks = createTicks(bent, systemClock);
  const follower = createFollower({ folder, history, judge: bent, ticks });
  for (const entry of linesOf<ProcessEntry>(fatesPath(folder))) judge.process(entry);
  for (const entry of linesOf<SettingEntry>(settingsPath(folder))) judge.setting(entry);
  for (const name of readdirSync(join(folder, 'notes')).filter((one) => one.includes('.'))) {
    const [number, author] = name.split('.');
    follower.follow(author as Author, Number(number));
  }
  while ((await follower.look()) > 0);
  await showRows(driver, bent);
  await driver.close();
  return judge.finish();
}

function bound(judge: Judge, name: keyof Judge): unknown {
  const value = judge[name];
  return typeof value === 'function' ? value.bind(judge) : value;
}

/** Changes the first item of the first event that has one to change. */
function once(change: (event: BatchEvent, item: EventItem) => readonly EventItem[] | null) {
  let isDone = false;
  return (event: BatchEvent): BatchEvent => {
    for (const item of isDone ? [] : event.items) {
      const items = change(event, item);
      if (items === null) continue;
      isDone = true;
      return { ...event, items: event.items.flatMap((one) => (one === item ? items : [one])) };
    }
    return event;
  };
}

const rulesOf = ({ violations }: Verdict): readonly string[] => violations.map(({ rule }) => rule);

test('some seconds of torture break nothing, and its judge is awake', { timeout: 180_000 }, async () => {
  const command = scenario.command([
    'torture',
    '--minutes',
    '0.15',
    '--seed',
    '2',
    '--rate',
    '150',
    '--keep',
    '--json',
    '--summary',
    'page.md',
  ]);
  const { code } = await command.exited;
  const report = JSON.parse(command.output()) as Report;
  const { folder, verdict, fired } = report;
  if (folder === null) throw new Error('The run was told to keep its folder.');
  scenario.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  expect({ code, violations: verdict.violations, doubts: verdict.doubts }).toEqual({
    code: 0,
    violations: [],
    doubts: [],
  });
  expect(Object.values(fired).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(3);
  expect(verdict.counts.succeeded).toBeGreaterThan(200);
  const page = readFileSync(join(scenario.folder, 'page.md'), 'utf8');
  expect(page).toMatch(/^# Torture of \d{4}-\d\d-\d\d, seed 2: valid$/m);
  expect(page).toMatch(/^\| one lease at a time \(S3\) \| [1-9][\d,]* claims \| 0 \|$/m);
  expect(page).not.toMatch(/\/tmp|NaN|undefined/);

  expect(await judgeAgain(folder)).toMatchObject({ result: 'valid', violations: [] });
  const lost = once((event, item) => (event.kind === 'settle' && item.to === 'succeeded' ? [] : null));
  expect(rulesOf(await judgeAgain(folder, lost))).toContain('L4');
  const charged = once((event, item) =>
    event.kind === 'settle' && item.reason === 'error' ? [{ ...item, attempt: item.attempt - 1 }] : null,
  );
  expect(rulesOf(await judgeAgain(folder, charged))).toContain('S8');
  const twice = once((event, item) => (event.kind === 'claim' ? [item, { ...item, version: item.version + 1 }] : null));
  expect(rulesOf(await judgeAgain(folder, twice))).toContain('S3');
});
