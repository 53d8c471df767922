/** How Postgres runs the broker's statements among many tasks: each over the index it was written for, as SQLite does. */

import process from 'node:process';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { postgresDialect } from '../../src/broker/postgres/dialect.ts';
import { createPostgresDriver, type WholeStatement } from '../../src/broker/postgres/driver.ts';
import { qualify } from '../../src/broker/postgres/schema.ts';
import { createStanding } from '../../src/broker/postgres/standing.ts';
import { clientConfig, readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { createWholeSteps } from '../../src/broker/postgres/whole.ts';
import { type EachStatement, type ManyStatement, type Statement, statement } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqlBroker } from '../../src/broker/sql/sql-broker.ts';
import { createMemory } from '../../src/broker/sql/step.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { claimRequest, finish, newTask, sampleId, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { inWords, type PlanStep, type Reached, reachedIn } from './reached.ts';
import { noting, useAll } from './statements.ts';

/** `PLAN_TASKS=1000000` asks the same of a million. */
const tasks = Number(process.env.PLAN_TASKS ?? 50_000);
const namespace = 'plans';
const clock = { now: 1_700_000_000_000 };

/** A statement, and by which indexes it reaches tasks: in brackets the columns that tell where to look. */
const hot: Readonly<Record<string, readonly string[]>> = {
  known_tasks: ['tasks_pkey (id)'],
  enqueue_whole: ['tasks_pkey (id)'],
  enqueue_handing_over: ['tasks_pkey (id)'],
  stand: ['tasks_ready (queue)', 'tasks_ready_group (queue)'],
  claim_whole_one: ['tasks_pkey (id)', 'tasks_ready (queue)'],
  claim_whole_several: ['tasks_pkey (id)', 'tasks_ready (queue)'],
  settle_whole: ['tasks_pkey (id)'],
  claimable_tasks: ['tasks_ready (queue)'],
  claim_tasks: ['tasks_pkey (id)'],
  running_under: ['tasks_pkey (id)'],
  queued_rows: ['tasks_pkey (id)'],
  tasks_behind: ['tasks_ready (queue, priority, due_at, id)'],
  place_behind: ['tasks_ready (queue, priority, due_at, id)'],
  first_heads: ['tasks_pkey (id)', 'tasks_ready_group (queue, grp)'],
  open_heads: ['tasks_pkey (id)', 'tasks_ready_group (queue, grp)'],
  group_tasks_behind: ['tasks_ready_group (queue, grp, priority, due_at, id)'],
  peeked_queue: ['tasks_due (due_at)'],
  peek_pool: ['tasks_pkey (id)', 'tasks_ready (queue)', 'tasks_ready_group (queue, grp)'],
  peek_deep: ['tasks_ready (queue, priority, due_at, id)', 'tasks_ready_group (queue, grp, priority, due_at, id)'],
  settled_tasks: ['tasks_pkey (id)'],
  succeed_tasks: ['tasks_pkey (id)'],
  succeed_remembered: ['tasks_pkey (id)'],
  finish_tasks: ['tasks_pkey (id)'],
  return_tasks: ['tasks_pkey (id)'],
  beating_tasks: ['tasks_pkey (id)'],
  extend_leases: ['tasks_pkey (id)'],
  due_tasks: ['tasks_due (due_at)'],
  next_due: ['first of tasks_due ()'],
  look_due: ['first of tasks_due ()'],
  look_overdue: ['first of tasks_check_at ()', 'tasks_judge (judge_token)'],
  promote_tasks: ['tasks_pkey (id)'],
  waiting_overdue: ['tasks_check_at (check_at)'],
  judged_tasks: ['tasks_judge (judge_token)'],
  prunable_tasks: ['tasks_pkey (id)', 'tasks_prune (prune_at)'],
  tasks_by_id: ['tasks_pkey (id)'],
  all_queues: [
    'first of tasks_ready ()',
    'first of tasks_ready_due ()',
    'tasks_ready (queue, priority)',
    'tasks_ready_due (queue)',
  ],
  inspected_tasks: ['tasks_pkey (id)'],
  look_at_tasks: [
    'tasks_pkey (id)',
    'tasks_ready (queue)',
    'tasks_ready (queue, priority, due_at, id)',
    'tasks_ready_group (queue, grp)',
    'tasks_ready_group (queue, grp, priority, due_at, id)',
  ],
  parent_rows: ['tasks_pkey (id)'],
  unblock_tasks: ['tasks_pkey (id)'],
  cancelled_tasks: ['tasks_pkey (id)'],
  last_task: ['first of tasks_pkey ()'],
  lock_blocked: ['tasks_pkey (id)'],
  blocked_tasks: ['tasks_pkey (id)'],
  children_of_tasks: ['tasks_pkey (id)'],
  failed_edges: ['tasks_pkey (id)'],
  unfinished_members: ['tasks_pkey (id)'],
  queues_of_unfinished: ['tasks_pkey (id)'],
  queues_of_flow: ['tasks_pkey (id)'],
};

/** Tables that grow with the number of tasks, groups or limits: no plan goes through one of them. */
const growing: ReadonlySet<string> = new Set(
  'tasks attempts logs timeline events edges members keys slots claims groups turns rounds limits schedules minutes rollups samples'.split(
    ' ',
  ),
);
/** Tasks that are awaited before they are there, which are few, and go with the wait. */
const narrow: ReadonlySet<string> = new Set(['edges_awaited']);
/** What goes through one all the same: as many claims as run at once, for the runs of workers that vanished. */
const walksAlways = { look_overdue: ['all of claims'] };
/**
 * Where the server knows of no task at all, but of how those that were lay: a service then reads all that is scheduled, until it counts
 * again.
 */
const scheduled = ['tasks_scheduled ()'];
const ofScheduled = { peeked_queue: scheduled, due_tasks: scheduled, look_due: scheduled, next_due: scheduled };

await onPostgres(async ({ url }) => {
  const address = { ...readPostgresUrl(url), pool: 4 };
  const driver = createPostgresDriver({
    address,
    namespace,
    clock: systemClock,
    chance: systemChance,
    now: () => clock.now,
  });

  /** Finished ones mostly, as there are; the rest waits, and the planner knows it. */
  async function fill(client: Client): Promise<void> {
    await client.query(`INSERT INTO ${namespace}.tasks (id, queue, name, state, priority, version, epoch, attempt, generation, crashes,
        interruptions, snoozes, due_at, created_at, finished_at, prune_at, keep_ms, policy, payload, grp)
      SELECT 'X' || lpad(n::text, 25, '0'), 'q' || n % 3, 'name' || n % 20,
        CASE n % 10 WHEN 0 THEN 'queued' WHEN 1 THEN 'queued' WHEN 2 THEN 'scheduled' ELSE 'succeeded' END, n % 10, 1, 0, 0, 1, 0,
        0, 0, n, n, CASE WHEN n % 10 > 2 THEN n END, CASE WHEN n % 10 > 2 THEN 3000000000000 END, 1, '{}', '{}',
        CASE n % 10 WHEN 1 THEN 'g' || n % 100 END
      FROM generate_series(1, ${tasks}) AS n`);
    await client.query('ANALYZE');
  }

  /** How the plan of each statement reaches its rows: of hot ones those of tasks, and what of all goes through a table. */
  async function plansOf(client: Client, seen: ReadonlyMap<string, Statement | EachStatement | ManyStatement>) {
    const first = await firstColumns(client);
    const walks = ({ table, index, by, isLimited }: Reached): boolean =>
      growing.has(table) &&
      !isLimited &&
      (index === null || !(narrow.has(index) || by.includes(first.get(index) ?? 'a column')));
    const plans: Record<string, readonly string[]> = {};
    const walking: Record<string, readonly string[]> = {};
    for (const [name, statement] of seen) {
      const reached = reachedIn(await planOf(client, statement));
      if (name in hot) plans[name] = wordsOf(reached.filter(({ table }) => table === 'tasks'));
      if (reached.some(walks)) walking[name] = wordsOf(reached.filter(walks));
    }
    return { plans, walking };
  }

  const wordsOf = (reached: readonly Reached[]): readonly string[] => [...new Set(reached.map(inWords))].sort();

  /** Of each index the column that it is sorted by. */
  async function firstColumns(client: Client): Promise<ReadonlyMap<string, string>> {
    const { rows } = await client.query(
      `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid, 1, true) AS first FROM pg_index
        WHERE indrelid::regclass::text LIKE '${namespace}.%'`,
    );
    return new Map(rows.map(({ name, first }) => [name.slice(namespace.length + 1), first]));
  }

  /** The steps of one statement. */
  async function useWhole(seen: Map<string, Statement | EachStatement | ManyStatement>): Promise<void> {
    let hint: WholeStatement | null = null;
    const standing = createStanding({
      driver: noting(driver, seen),
      lastNow: () => clock.now,
      hearing: () => ({ channel: 'own', member: 1 }),
    });
    const steps = createWholeSteps({
      driver: {
        ...driver,
        writeWhole: (ones, around) => {
          for (const { statement } of ones) seen.set(statement.name, statement);
          return driver.writeWhole(ones, around);
        },
      },
      namespace,
      clock: (_last, wallMs) => wallMs,
      lastNow: () => clock.now,
      memory: createMemory(),
      hints: { take: () => hint, untake: () => {} },
      attempts: { isDue: true, missed: () => {} },
      standing,
    });
    const queue = 'whole';
    expect(await standing.look(claimRequest('d'.repeat(32), { standMs: 1, queues: [{ name: queue, limit: 1 }] }))).toBe(
      false,
    );
    expect(await steps.enqueue([newTask(sampleId(1), { queue })])).not.toBeNull();
    const claimed = await steps.claim(claimRequest('f'.repeat(32), { queues: [{ name: queue, limit: 9 }] }));
    expect(claimed?.answer).toHaveLength(1);
    const settlements = (claimed?.answer ?? []).map(({ lease }) =>
      settlement(lease.taskId, lease, finish('succeeded')),
    );
    expect(await steps.settle(settlements)).not.toBeNull();
    expect(await steps.enqueue([newTask(sampleId(2), { queue })])).not.toBeNull();
    const queues = [queue, 'other'].map((name) => ({ name, limit: 9 }));
    expect((await steps.claim(claimRequest('e'.repeat(32), { queues })))?.answer).toHaveLength(1);
    hint = { statement: statement('hint', () => 'SELECT 1'), values: [] };
    expect(await steps.enqueue([newTask(sampleId(3), { queue })])).not.toBeNull();
  }

  /** The plan that stays once a statement was prepared: that for any values. */
  async function planOf(client: Client, statement: Statement | EachStatement | ManyStatement): Promise<PlanStep> {
    const text = qualify(statement.text(postgresDialect, 1), namespace);
    const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));
    const values = count === 0 ? '' : `(${new Array(count).fill('NULL').join(', ')})`;
    await client.query(`PREPARE planned AS ${text}`);
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE planned${values}`);
    await client.query('DEALLOCATE planned');
    return rows[0]['QUERY PLAN'][0].Plan;
  }

  test(`among ${tasks} tasks every hot statement uses its index`, { timeout: 300_000 }, async () => {
    await driver.open();
    await migrate(driver, systemChance);
    const client = new Client(clientConfig(address));
    onTestFinished(() => client.end());
    await client.connect();
    await client.query("SET plan_cache_mode = 'force_generic_plan'");
    await fill(client);
    const seen = new Map<string, Statement | EachStatement | ManyStatement>();
    const broker = createSqlBroker({
      driver: noting(driver, seen),
      chance: systemChance,
      kind: 'postgres',
      open: async () => {},
      close: () => driver.close(),
      durability: driver.durability,
    });
    await broker.open();
    await useAll(broker, clock);
    await useWhole(seen);
    expect(await plansOf(client, seen)).toEqual({ plans: hot, walking: walksAlways });

    // A queue that ran empty just when the server counted: a plan of then is kept while thousands of tasks come.
    await client.query(`DELETE FROM ${namespace}.tasks`);
    await client.query(`ANALYZE ${namespace}.tasks`);
    expect(await plansOf(client, seen)).toEqual({ plans: hot, walking: walksAlways });
    await client.query(`VACUUM ANALYZE ${namespace}.tasks`);
    const plans: Readonly<Record<string, readonly string[]>> = { ...hot, ...ofScheduled };
    expect(await plansOf(client, seen)).toEqual({ plans, walking: { ...walksAlways, ...ofScheduled } });
    // The same of every table: a store in which nothing has happened yet.
    const { rows } = await client.query('SELECT tablename AS table FROM pg_tables WHERE schemaname = $1', [namespace]);
    await client.query(`TRUNCATE ${rows.map(({ table }) => `${namespace}.${table}`).join(', ')}`);
    await client.query('VACUUM ANALYZE');
    // What a person asks about one task: what can be read of an index alone is gone through then.
    seen.delete('look_at_tasks');
    const { look_at_tasks: _asked, ...others } = plans;
    expect(await plansOf(client, seen)).toEqual({ plans: others, walking: { ...walksAlways, ...ofScheduled } });
    await broker.close();
  });
});
