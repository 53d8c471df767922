/** How SQLite runs the broker's statements: each over the index it was written for, none over all tasks. */

import { beforeAll, expect, test } from 'vitest';
import type { Broker, ClaimRequest } from '../../src/broker/broker.ts';
import type {
  EachStatement,
  ManyStatement,
  SqlDriver,
  SqlTransaction,
  Statement,
} from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { readNotice } from '../../src/broker/sql/notice.ts';
import { createSqlBroker } from '../../src/broker/sql/sql-broker.ts';
import { createSqliteDriver, type SqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import {
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  overdueRequest,
  settlement,
  wait,
} from '../conformance/samples.ts';
import { askOf, fireOf, newSchedule } from '../conformance/schedule-samples.ts';

let now = 1_700_000_000_000;
/** Statement name to its plan, one line a step. */
const plans = new Map<string, readonly string[]>();

/** The same driver, noting every statement that passes. */
function noting(driver: SqliteDriver, seen: Map<string, Statement | EachStatement | ManyStatement>): SqlDriver {
  const wrap = (tx: SqlTransaction): SqlTransaction => ({
    ...tx,
    query: (statement, ...values) => {
      seen.set(statement.name, statement);
      return tx.query(statement, ...values);
    },
    change: (statement, ...values) => {
      seen.set(statement.name, statement);
      return tx.change(statement, ...values);
    },
    each: (statement, rows) => {
      seen.set(statement.name, statement);
      return tx.each(statement, rows);
    },
    many: (statement, shared, rows) => {
      seen.set(statement.name, statement);
      return tx.many(statement, shared, rows);
    },
  });
  return {
    ...driver,
    transaction: (work) => driver.transaction((tx) => work(wrap(tx))),
    read: (work) => driver.read((tx) => work(wrap(tx))),
    readOne: (statement, ...values) => {
      seen.set(statement.name, statement);
      return driver.readOne(statement, ...values);
    },
    writeOne: (statement, ...values) => {
      seen.set(statement.name, statement);
      return driver.writeOne(statement, ...values);
    },
  };
}

/** Calls every method in a way that reaches all of its statements. */
async function useAll(broker: Broker): Promise<void> {
  const id = (number: number): string => `01K8Q2M4ZJ${String(number).padStart(16, '0')}`;
  const keyed = { key: 'k', ifExists: 'replace', keyForMs: null } as const;
  await broker.enqueue([newTask(id(1)), newTask(id(2), { delayMs: 1 }), newTask(id(3), { startWithinMs: 1 })]);
  await broker.enqueue([newTask(id(1))]);
  await broker.enqueue([newTask(id(4), keyed)]);
  await broker.enqueue([newTask(id(5), keyed), newTask(id(1))]);
  const request: ClaimRequest = claimRequest('t');
  const claimed = await broker.claim(request);
  await broker.claim(request);
  await broker.claim(claimRequest('none'));
  await broker.claim(claimRequest('none'));
  const beat = {
    ranMs: 1,
    progress: null,
    logs: [{ at: 1, level: 'info', message: 'm', fields: null }],
    checkpoints: [],
  } as const;
  await broker.heartbeat(heartbeatRequest(claimed.map(({ lease }) => ({ lease, ...beat }))));
  await broker.cancel({ taskIds: [id(1)], reason: null });
  now += 10;
  await broker.promote(10);
  await broker.claimOverdue({
    ...overdueRequest('j'),
    deadWorkers: claimed.flatMap(({ task }) => task.workerId ?? []),
  });
  const verdicts = [finish('failed'), finish('succeeded')];
  await broker.settle(
    claimed.map(({ task, lease }, index) => settlement(task.id, lease.token, verdicts[index] ?? wait('queued'))),
    claimRequest('u'),
  );
  await broker.update([{ taskId: id(3), version: null, patch: { priority: 1 } }]);
  await broker.retry([id(1)]);
  await broker.remove([id(4)]);
  await broker.configure('queue', 'default', { pause: { by: 'a', reason: null } });
  await broker.configure('queue', 'default', {});
  await useLimits(broker, id);
  await useDependencies(broker, id);
  await useControl(broker);
  await useSchedules(broker);
  await useGroups(broker, id);
  await broker.prune(10);
  await broker.getQueues();
  await broker.getWorkers();
  await broker.inspect([id(1), id(3), id(5)]);
  await broker.info();
}

/** Tasks with limits: more than one claim lets through, so that it reads on behind them. */
async function useLimits(broker: Broker, id: (number: number) => string): Promise<void> {
  const rules = [{ name: 'l', max: 1, rate: { count: 5, perMs: 1 } }];
  await broker.enqueue([20, 21, 22].map((number) => newTask(id(number), { queue: 'limited', limits: rules })));
  await broker.enqueue([newTask(id(23), { queue: 'limited' })]);
  const queues = [{ name: 'limited', limit: 2 }];
  const claimed = await broker.claim(claimRequest('v', { queues }));
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease.token, finish('failed'))));
  await broker.configure('limit', 'l', { max: 2, rate: null });
  await broker.inspect([id(22)]);
}

async function useControl(broker: Broker): Promise<void> {
  const [sent] = await broker.control(['worker-1', 'nobody'], { kind: 'drain' });
  await broker.heartbeat(heartbeatRequest([], sent?.outcome === 'sent' ? { heard: sent.id } : {}));
}

async function useSchedules(broker: Broker): Promise<void> {
  const { schedules } = broker;
  const [soon, later] = [
    { at: now, dueAt: now },
    { at: now + 1, dueAt: now + 1 },
  ];
  await schedules.put([newSchedule('s', { next: soon })]);
  await schedules.put([newSchedule('s', { definition: '{}', next: soon })]);
  await schedules.due(10);
  await schedules.fire([fireOf('s', { version: 2, at: soon.at, next: later })]);
  await schedules.fire([askOf('s', later.at)]);
  await schedules.get(['s']);
  await schedules.list(null, 10);
  await schedules.pause(['s'], null);
  await schedules.delete(['s']);
}

/** Tasks with groups and limits: more than one claim lets through, and a queue that runs empty. */
async function useGroups(broker: Broker, id: (number: number) => string): Promise<void> {
  const given = { queue: 'shared', limits: [{ name: 'g', max: 1, rate: null }] };
  await broker.enqueue([30, 31, 32].map((number) => newTask(id(number), { ...given, group: `g${number % 2}` })));
  await broker.enqueue([33, 34].map((number) => newTask(id(number), { queue: 'shared', group: 'h' })));
  const queues = [{ name: 'shared', limit: 2 }];
  await broker.inspect([id(32)]);
  await broker.claim(claimRequest('w', { queues, limit: 2 }));
  await broker.claim(claimRequest('x', { queues, limit: 2 }));
  await broker.getQueues();
  await broker.cancel({ taskIds: [30, 31, 32].map(id), reason: null });
  await broker.claim(claimRequest('y', { queues, limit: 2 }));
}

/** Parents and children in every way they are tied and let go. */
async function useDependencies(broker: Broker, id: (number: number) => string): Promise<void> {
  const on = (number: number) => ({ taskId: id(number), onFailure: 'fail' }) as const;
  const given = { queue: 'flow', flowId: 'f' };
  await broker.enqueue([newTask(id(50), given), newTask(id(51), { ...given, dependsOn: [on(50)] })]);
  await broker.enqueue([newTask(id(52), { queue: 'flow', dependsOn: [on(51)] })]);
  const queues = [{ name: 'flow', limit: 5 }];
  const [first] = await broker.claim(claimRequest('fw', { queues }));
  const spawn = [
    newTask(id(53), { ...given, dependsOn: [on(50)], blocks: [on(51)] }),
    newTask(id(56), { ...given, dependsOn: [on(52)], blocks: [on(54)] }),
  ];
  await broker.enqueue([newTask(id(54), { queue: 'flow', delayMs: 5 })]);
  if (first === undefined) throw new Error('the first task of the flow is claimed');
  const next = claimRequest('fx', { queues });
  const { claimed } = await broker.settle(
    [settlement(first.task.id, first.lease.token, finish('succeeded'), { spawn })],
    next,
  );
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease.token, finish('failed'))));
  await broker.enqueue([newTask(id(57), { queue: 'flow', dependsOn: [{ ...on(53), onFailure: 'ignore' }] })]);
  await broker.enqueue([
    newTask(id(58), { queue: 'flow', delayMs: 5 }),
    newTask(id(59), { dependsOn: [{ ...on(58), onFailure: 'ignore' }] }),
  ]);
  await broker.cancel({ taskIds: [id(58)], reason: null });
  await broker.claimOverdue(overdueRequest('fk'));
  await broker.retry(claimed.map(({ task }) => task.id));
  await broker.inspect([id(51)]);
  await broker.cancel({ taskIds: [], flowId: 'f', reason: null });
  await broker.enqueue([newTask(id(55), given)]);
  await broker.remove([id(51)]);
}

beforeAll(async () => {
  const driver = createSqliteDriver({
    file: ':memory:',
    now: () => now,
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
  await useAll(broker);
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
  tasks_behind_row: ['SEARCH tasks USING COVERING INDEX tasks_id (id=? AND rowid>?)'],
  known_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  claimable_tasks: ['SEARCH tasks USING INDEX tasks_ready (queue=?)'],
  locked_rounds: ['SEARCH rounds USING PRIMARY KEY (queue=?)'],
  first_heads: ['SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)>(?,?,?))'],
  open_heads: ['SEARCH turns USING COVERING INDEX turns_next (queue=? AND standing=? AND (turn,since,grp)>(?,?,?))'],
  drop_turns: ['SEARCH turns USING PRIMARY KEY (queue=? AND grp=?)'],
  store_turns: ['SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=?)'],
  waits_in_queue: ['SEARCH tasks USING INDEX tasks_ready (queue=?)'],
  oldest_of_groups: ['SEARCH tasks USING INDEX tasks_ready_due (queue=?)'],
  group_tasks_behind: [
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)>(?,?,?))',
  ],
  group_place_behind: [
    'SEARCH tasks USING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)>(?,?,?))',
  ],
  group_tasks_ahead: [
    'SEARCH tasks USING COVERING INDEX tasks_ready_group (queue=? AND grp=? AND (priority,due_at,id)<(?,?,?))',
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
  tasks_by_id: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  oldest_queued: ['SEARCH tasks USING INDEX tasks_ready (queue=? AND priority=?)'],
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
  limit_holders: ['SEARCH slots USING PRIMARY KEY (name=?)'],
  count_slots: ['SEARCH slots USING PRIMARY KEY (name=?)'],
  commanded_workers: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  leave_commands: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  keep_commands: ['SEARCH workers USING PRIMARY KEY (worker_id=?)'],
  parent_rows: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  children_of_tasks: ['SEARCH edges USING PRIMARY KEY (parent_id=?)'],
  set_edges: ['SEARCH edges USING PRIMARY KEY (parent_id=? AND child_id=?)'],
  blocked_tasks: ['SEARCH tasks USING INDEX tasks_state (state=? AND id=?)'],
  unblock_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  block_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  waiting_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  parent_results: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  failed_edges: ['SEARCH edges USING INDEX edges_child (child_id=? AND state=?)'],
  parents_of_tasks: ['SEARCH edges USING INDEX edges_child (child_id=?)'],
  edges_above: ['SEARCH tasks USING COVERING INDEX tasks_id (id=?)'],
  parents_told: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  parents_of_task: ['SEARCH edges USING COVERING INDEX edges_child (child_id=? AND state=?)'],
  children_of_task: ['SEARCH edges USING PRIMARY KEY (parent_id=?)'],
  unfinished_members: ['SEARCH members USING PRIMARY KEY (flow_id=?)'],
  wishes_of_flows: ['SEARCH flows USING PRIMARY KEY (flow_id=?)'],
  schedules_by_due: ['SEARCH schedules USING INDEX schedules_due (due_at>?)'],
  earliest_due: ['SEARCH schedules USING COVERING INDEX schedules_due (due_at>?)'],
  locked_schedules: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  schedules_by_name: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  schedules_after: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name>?)'],
  move_schedules: ['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)'],
  unfinished_tasks: ['SEARCH tasks USING INDEX tasks_id (id=?)'],
  tasks_ahead: ['SEARCH tasks USING INDEX tasks_ready (queue=? AND (priority,due_at,id)<(?,?,?))'],
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

test('no statement walks all tasks, attempts, logs or events', () => {
  const walks = [...plans].flatMap(([name, plan]) =>
    plan
      .filter((step) => /SCAN (tasks|attempts|logs|timeline|slots|turns|edges|members)/.test(step))
      .map((step) => `${name}: ${step}`),
  );
  expect(walks).toEqual([]);
});

/** Statements that sort a few rows they have found by ids. */
const sorts: readonly string[] = ['judged_tasks', 'running_of_claim', 'claims_to_check'];

test('no statement sorts what an index could bring in order', () => {
  const sorting = [...plans]
    .filter(([, plan]) => plan.some((step) => step.includes('TEMP B-TREE')))
    .map(([name]) => name);
  expect(sorting.filter((name) => !sorts.includes(name))).toEqual([]);
});
