// The plans of the record's statements: each names an index, none sorts, counts, skips or walks all tasks without an end.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SqlValue } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { systemClock } from '../../src/core/time.ts';
import type { History } from '../../src/history/history.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { sampleId } from '../conformance/samples.ts';

interface Planned {
  readonly text: string;
  /** One line a step. */
  readonly plan: readonly string[];
}

let seen: { readonly text: string; readonly values: readonly SqlValue[] }[] = [];
const driver = createSqliteDriver({
  file: ':memory:',
  clock: systemClock,
  chance: systemChance,
  now: systemClock.now,
  onStatement: (text, values) => void seen.push({ text, values }),
});
let history: History;

/** Two tasks of each kind, so that every statement of a search is reached. */
async function fill(): Promise<void> {
  await driver.transaction(async (tx) => {
    for (let number = 0; number < 8; number += 1) {
      const isFailed = number % 2 === 0;
      await tx.execute(
        `INSERT INTO tasks (id, queue, name, state, priority, version, epoch, attempt, generation, crashes, interruptions, snoozes,
           due_at, created_at, keep_ms, policy, payload, key, fingerprint, finished_at, prune_at)
         VALUES ($1, 'q', $2, $3, 5, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, '{}', '{}', $4, $5, $6, $6)`,
        sampleId(number),
        `name.${number % 3}`,
        isFailed ? 'failed' : 'queued',
        `key.${number}`,
        isFailed ? 'abcd' : null,
        isFailed ? 2 : null,
      );
    }
    await tx.execute("INSERT INTO counts VALUES ('other', 'most', 'succeeded', 1000)");
    for (const number of [0, 1, 2])
      await tx.execute(
        "INSERT INTO counts VALUES ('q', $1, 'failed', 2), ('q', $1, 'queued', 2), ('a', $1, 'queued', 1)",
        `name.${number}`,
      );
    for (const flow of ['F1', 'F2']) await tx.execute('INSERT INTO members VALUES ($1, $2)', flow, sampleId(3));
    await tx.execute("INSERT INTO claims VALUES ('t', 'w', 1, 1, $1)", JSON.stringify([sampleId(1)]));
  });
}

beforeAll(async () => {
  await driver.open();
  await migrate(driver, systemChance);
  await fill();
  history = createSqlHistory(driver, systemClock);
});
afterAll(() => driver.close());

/** Explains every statement after it ran. */
async function plansOf(call: () => Promise<unknown>): Promise<readonly Planned[]> {
  seen = [];
  await call();
  const asked = [...seen];
  expect(asked.length).toBeGreaterThan(0);
  const planned: Planned[] = [];
  for (const { text, values } of asked) {
    const rows = await driver.read((tx) =>
      tx.execute<[id: number, parent: number, unused: number, detail: string]>(`EXPLAIN QUERY PLAN ${text}`, ...values),
    );
    planned.push({ text, plan: rows.map(([, , , detail]) => detail) });
  }
  return planned;
}

const search = (text: string) => history.search(parseFilter(text), { after: sampleId(7), limit: 2 });

/** Kept small by folding, by the number of workers, or by the number of queues; and what a statement has made itself. */
const small =
  /^SCAN (?:counts|deltas|claims|bound|begun|summed|found|way|rows\d+|stretch\d*|b\d+|kept|queued|ended|lines|notes|each_end|CONSTANT|\(|\w+ VIRTUAL TABLE)/;
/** Several ways lead to their rows out of order; these are no more than one look goes over. Minutes and their sums are grouped by names. */
const sorts = /\bUNION SELECT id AS way_id|AS way CROSS JOIN|GROUP BY 2, 3\b|GROUP BY 1, 2, 3\b/;

function check({ text, plan }: Planned): void {
  const all = `${text}\n${plan.join('\n')}`;
  if (!sorts.test(text)) expect(all).not.toMatch(/USE TEMP B-TREE/);
  expect(text).not.toMatch(/count\s*\(|\boffset\b/i);
  for (const step of plan) {
    if (!step.startsWith('SCAN') || small.test(step)) continue;
    // The order of an index, or of the numbers of rows, walked only as far as the limit.
    if (!(step === 'SCAN events' && text.includes('ORDER BY seq'))) {
      expect(step, all).toMatch(/^SCAN \w+ USING (?:COVERING )?INDEX/);
    }
    expect(text, all).toMatch(/\bLIMIT \d+|\bLIMIT \$\d/);
  }
}

const rest =
  '-queue:a worker:w* -tag:x -flow:01 error:boom since:1h until:0s created:>1h attempt:>1 took:>1s waited:<1m priority:high input.a.0:5 output.b:>1 -name:a*,b -key:k -err:00 -state:expired';

describe('a search', () => {
  test.each([
    ['', 'tasks_id'],
    ['worker:a', 'tasks_id'],
    ['id:01k8', 'tasks_id'],
    ['state:failed', 'tasks_state'],
    ['state:retrying,expired,quarantined,blocked', 'tasks_state'],
    ['state:queued', 'tasks_ready'],
    ['state:running', 'tasks_id'],
    ['queue:q', 'tasks_name'],
    ['state:failed name:name.1', 'tasks_name'],
    ['state:succeeded', 'tasks_id'],
    ['name:name.1', 'tasks_name'],
    ['name:name.*', 'tasks_name'],
    ['err:ab', 'tasks_fingerprint'],
    ['key:key.2', 'tasks_key'],
    ['key:key.*', 'tasks_key'],
    ['name.1', 'tasks_name'],
    ['01k8', 'tasks_id'],
    ['name*,other', 'tasks_name'],
  ])('for "%s" walks %s, also when more is asked', async (filter, index) => {
    for (const text of [filter, `${filter} ${rest}`]) {
      const plans = await plansOf(() => search(text));
      for (const each of plans) check(each);
      expect(plans.flatMap(({ plan }) => plan).join('\n')).toMatch(new RegExp(`INDEX ${index}\\b`));
    }
  });

  test.each(['flow:f1', 'flow:f*', 'flow:f1 name:name.1'])(
    'for "%s" looks at the tasks of those flows only',
    async (filter) => {
      for (const text of [filter, `${filter} ${rest}`]) {
        const plans = await plansOf(() => search(text));
        for (const each of plans) check(each);
        expect(plans.flatMap(({ plan }) => plan)).toContain('SEARCH members USING PRIMARY KEY (flow_id=?)');
      }
    },
  );

  test('reads the ends of a stretch from the index alone', async () => {
    for (const filter of ['', 'state:failed ', 'name:name.1 ', 'err:ab ', 'key:key.2 ']) {
      const looks = (await plansOf(() => search(`${filter}worker:a`))).filter(({ text }) => text.includes('AS bound'));
      expect(looks.length).toBeGreaterThan(0);
      for (const { plan } of looks) {
        const at = plan.indexOf('MATERIALIZE stretch');
        expect(plan[at + 1], plan.join('\n')).toMatch(/USING COVERING INDEX/);
      }
    }
  });

  test('never reads a whole input or result into the process', async () => {
    const plans = await plansOf(() => search('input.a:5 output.b:6'));
    for (const { text } of plans) {
      const columns = text.slice(text.indexOf('LEFT JOIN'), text.lastIndexOf('FROM tasks'));
      expect(columns).toContain('payload');
      expect(columns.replace('substr(payload, 1, 500)', '')).not.toMatch(/payload|result|checkpoints/);
    }
  });
});

test.each<[name: string, call: () => Promise<unknown>]>([
  ['task', () => history.task(sampleId(1))],
  ['minutes', () => history.minutes({ from: 0, to: 1 })],
  ['hours', () => history.minutes({ from: 0, to: 3_600_000, step: 'hour' })],
  [
    'activity',
    () => history.activity({ from: 0, to: 60, stepMs: 60_000, partMs: 2, recent: { from: 0, to: 1 }, namesFrom: 0 }),
  ],
  ['ended', () => history.ended({ from: 0, to: 60_000 })],
  ['samples', () => history.samples({ from: 0, to: 1 })],
  ['flows', () => history.flows({ after: null, limit: 5 })],
  ['facets', () => history.facets()],
  ['events', () => history.events(0, 10)],
])('%s reads over indexes', async (_name, call) => {
  for (const each of await plansOf(call)) check(each);
});

test('the sources neither count nor skip', () => {
  const folder = new URL('../../src/', import.meta.url);
  const history = readdirSync(new URL('history/', folder)).filter((each) => /(?<!\.test)\.ts$/.test(each));
  const broker = ['queues', 'reads', 'counts', 'facts-rows', 'inspect', 'record', 'events', 'groups'];
  for (const name of [...history.map((each) => `history/${each}`), ...broker.map((each) => `broker/sql/${each}.ts`)]) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    // Over rows that an inner limit bounds, or the parents of one task.
    const unbounded = source.replace(/count\(\*\) FROM \(SELECT 1 FROM |count\(\*\) FROM edges WHERE child_id/g, '');
    expect(unbounded, name).not.toMatch(/count\s*\(\s*(?:\*|1)|\boffset\b/i);
  }
});
