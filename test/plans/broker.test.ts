/** How SQLite runs the broker's statements: each over the index it was written for, none over all tasks. */

import { beforeAll, expect, test } from 'vitest';
import type { EachStatement, ManyStatement, Statement } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { readNotice } from '../../src/broker/sql/notice.ts';
import { createSqlBroker } from '../../src/broker/sql/sql-broker.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { noting, useAll } from './statements.ts';

const clock = { now: 1_700_000_000_000 };
/** Statement name to its plan, one line a step. */
const plans = new Map<string, readonly string[]>();

beforeAll(async () => {
  const driver = createSqliteDriver({
    file: ':memory:',
    now: () => clock.now,
    clock: systemClock,
    chance: systemChance,
  });
  await driver.open();
  await migrate(driver, systemChance);
  const seen = new Map<string, Statement | EachStatement | ManyStatement>();
  const noted = noting(driver, seen);
  const broker = createSqlBroker({
    driver: noted,
    chance: systemChance,
    kind: 'sqlite',
    open: async () => {},
    close: async () => {},
    durability: driver.durability,
  });
  await broker.open();
  await useAll(broker, clock);
  await noted.read((tx) => readNotice(tx, 0));
  for (const [name, statement] of seen) {
    const rows = await driver.read((tx) =>
      tx.execute<[id: number, parent: number, unused: number, step: string]>(
        `EXPLAIN QUERY PLAN ${statement.text(driver.dialect, 1)}`,
      ),
    );
    plans.set(
      name,
      rows.map((row) => row[3]),
    );
  }
});

const hot: Readonly<Record<string, readonly string[]>> = {
  insert_tasks: [],
  last_task: ['SEARCH tasks'],
  met_parents: ['SEARCH edges USING PRIMARY KEY (parent_id=?)'],
  unmet_parents: ['SCAN edges USING COVERING INDEX edges_awaited'],
  tasks_behind_row: ['SEARCH tasks USING COVERING INDEX tasks_id (id=? AND rowid>?)'],
  known_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  claimable_tasks: ['SEARCH tasks USING INDEX tasks_ready (queue=?)'],
  locked_rounds: ['SEARCH rounds USING PRIMARY KEY (queue=?)'],
  first_heads: ['SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)>(?,?,?))'],
  open_heads: ['SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)>(?,?,?))'],
  drop_turns: ['SEARCH turns USING PRIMARY KEY (queue=? AND grp=?)'],
  store_turns: ['SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=?)'],
  waits_in_queue: ['SEARCH tasks USING INDEX tasks_ready (queue=?)'],
  group_tasks_behind: [
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)>(?,?,?))',
  ],
  group_place_behind: [
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)>(?,?,?))',
  ],
  claim_tasks: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  repeated_claim: ['SEARCH claims USING PRIMARY KEY (token=?)'],
  running_under: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  settled_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  succeed_remembered: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  succeed_tasks: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  finish_tasks: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  return_tasks: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  beating_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  extend_leases: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  due_tasks: [
    'SEARCH tasks USING COVERING INDEX tasks_due (due_at<?)',
    'SEARCH tasks USING INDEX tasks_due (due_at<?)',
  ],
  next_due: ['SEARCH tasks USING COVERING INDEX tasks_due'],
  look_claimable: ['SEARCH claims USING PRIMARY KEY (token=?)'],
  look_due: ['SEARCH tasks USING COVERING INDEX tasks_due'],
  look_overdue: ['SEARCH tasks USING COVERING INDEX tasks_check_at (check_at>?)'],
  promote_tasks: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  waiting_overdue: ['SEARCH tasks USING INDEX tasks_check_at (check_at<?)'],
  any_waiting_overdue: ['SEARCH tasks USING COVERING INDEX tasks_check_at (check_at<?)'],
  judged_tasks: ['SEARCH tasks USING INDEX tasks_judge (judge_token=?)'],
  prunable_tasks: ['SEARCH tasks USING INDEX tasks_prune (prune_at<?)'],
  inspected_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  tasks_by_id: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  tasks_behind: ['SEARCH tasks USING INDEX tasks_ready (queue=? AND (priority,due_at,id)>(?,?,?))'],
  place_behind: ['SEARCH tasks USING INDEX tasks_ready (queue=? AND (priority,due_at,id)>(?,?,?))'],
  queued_rows: ['SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)'],
  locked_limits: ['SEARCH limits USING PRIMARY KEY (name=?)'],
  limits_by_name: ['SEARCH limits USING PRIMARY KEY (name=?)'],
  held_slots: ['SEARCH limits USING PRIMARY KEY (name=?)', 'SEARCH slots USING PRIMARY KEY (name=?)'],
  leave_slots: ['SEARCH slots USING PRIMARY KEY (name=? AND task_id=?)'],
  spend_tokens: ['SEARCH limits USING PRIMARY KEY (name=?)'],
  miss_limits: ['SEARCH limits USING PRIMARY KEY (name=?)'],
  offer_limits: ['SEARCH limits USING PRIMARY KEY (name=?)'],
  commanded_workers: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  leave_commands: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  keep_commands: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  parent_rows: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  children_of_tasks: ['SEARCH edges USING PRIMARY KEY (parent_id=?)'],
  set_edges: ['SEARCH edges USING PRIMARY KEY (parent_id=? AND child_id=?)'],
  blocked_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  unblock_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  block_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  waiting_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  parent_results: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  failed_edges: ['SEARCH edges USING INDEX edges_child (child_id=? AND state=?)'],
  parents_of_tasks: ['SEARCH edges USING INDEX edges_child (child_id=?)'],
  edges_above: ['SEARCH tasks USING COVERING INDEX tasks_id (id=?)'],
  parents_told: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  unfinished_members: ['SEARCH members USING PRIMARY KEY (flow_id=?)'],
  wishes_of_flows: ['SEARCH flows USING PRIMARY KEY (flow_id=?)'],
  schedules_by_due: ['SEARCH schedules USING INDEX schedules_due (due_at>?)'],
  earliest_due: ['SEARCH schedules USING COVERING INDEX schedules_due (due_at>?)'],
  locked_schedules: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  schedules_by_name: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  schedules_after: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name>?)'],
  move_schedules: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  unfinished_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
};

test.each(Object.entries(hot))('%s uses its index', (name, wanted) => {
  const plan = plans.get(name);
  expect(plan).toBeDefined();
  const steps =
    plan?.filter((step) =>
      /\b(tasks|claims|limits|slots|rounds|turns|workers|schedules|edges|members|flows)\b/.test(step),
    ) ?? [];
  if (wanted.length === 0) expect(steps).toEqual([]);
  else expect(wanted).toEqual(expect.arrayContaining([steps[0]]));
});

/** What people ask is in few statements of many parts: all the ways in which each of them reaches a table that grows. */
const manyParts: Readonly<Record<string, readonly string[]>> = {
  all_queues: [
    'SEARCH limits USING PRIMARY KEY (name=?) LEFT-JOIN',
    'SEARCH tasks USING COVERING INDEX tasks_ready_group',
    'SEARCH tasks USING COVERING INDEX tasks_ready_group (queue>?)',
    'SEARCH tasks USING INDEX tasks_ready',
    'SEARCH tasks USING INDEX tasks_ready (queue=? AND priority=?)',
    'SEARCH tasks USING INDEX tasks_ready (queue>?)',
    'SEARCH tasks USING INDEX tasks_ready_due (queue=?)',
  ],
  peeked_queue: [
    'SEARCH rounds USING PRIMARY KEY (queue=?) LEFT-JOIN',
    'SEARCH tasks USING INDEX tasks_due (due_at>?)',
  ],
  peek_pool: [
    'SEARCH limits USING PRIMARY KEY (name=?)',
    'SEARCH slots USING PRIMARY KEY (name=?)',
    'SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=?)',
    'SEARCH tasks USING INDEX tasks_ready (queue=?)',
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=?)',
    'SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)>(?,?,?))',
    'SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=?)',
  ],
  peek_deep: [
    'SEARCH limits USING PRIMARY KEY (name=?)',
    'SEARCH slots USING PRIMARY KEY (name=?)',
    'SEARCH tasks USING INDEX tasks_ready (queue=? AND (priority,due_at,id)>(?,?,?))',
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)>(?,?,?))',
  ],
  look_at_tasks: [
    'SEARCH edges USING COVERING INDEX edges_child (child_id=? AND state=? AND parent_id<?)',
    'SEARCH edges USING COVERING INDEX edges_child (child_id=? AND state=?)',
    'SEARCH edges USING PRIMARY KEY (parent_id=? AND child_id<?)',
    'SEARCH limits USING PRIMARY KEY (name=?)',
    'SEARCH rounds USING PRIMARY KEY (queue=?)',
    'SEARCH slots USING PRIMARY KEY (name=? AND task_id<?)',
    'SEARCH slots USING PRIMARY KEY (name=?)',
    'SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)<(?,?,?))',
    'SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=?)',
    'SEARCH tasks USING INDEX tasks_id (id=?)',
    'SEARCH tasks USING INDEX tasks_id (id=?) LEFT-JOIN',
    'SEARCH tasks USING INDEX tasks_ready (queue=? AND (priority,due_at,id)<(?,?,?))',
    'SEARCH tasks USING INDEX tasks_ready (queue=?)',
    'SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)<(?,?,?))',
    'SEARCH turns USING PRIMARY KEY (queue=? AND grp=?) LEFT-JOIN',
  ],
};

test.each(Object.entries(manyParts))('every part of %s uses its index', (name, wanted) => {
  const steps = plans.get(name)?.filter((step) => /\b(tasks|limits|slots|rounds|turns|edges)\b/.test(step));
  expect([...new Set(steps)].sort()).toEqual(wanted);
});

test('no statement walks all tasks, attempts, logs or events', () => {
  // Few wait for what is not there: that index is looked through as it is.
  const all = /SCAN (tasks|attempts|logs|timeline|slots|turns|edges(?! USING COVERING INDEX edges_awaited)|members)/;
  const walks = [...plans].flatMap(([name, plan]) =>
    plan.filter((step) => all.test(step)).map((step) => `${name}: ${step}`),
  );
  expect(walks).toEqual([]);
});

/** Statements that sort a few rows they have found by ids, or by where they would stand in a round, or to name each line once. */
const sorts: readonly string[] = ['judged_tasks', 'running_of_claim', 'claims_to_check', 'peek_pool', 'look_at_tasks'];

test('no statement sorts what an index could bring in order', () => {
  const sorting = [...plans]
    .filter(([, plan]) => plan.some((step) => step.includes('TEMP B-TREE')))
    .map(([name]) => name);
  expect(sorting.filter((name) => !sorts.includes(name))).toEqual([]);
});
