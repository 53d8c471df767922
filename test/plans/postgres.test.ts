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
import { noting, useAll } from './statements.ts';

/** `PLAN_TASKS=1000000` asks the same of a million. */
const tasks = Number(process.env.PLAN_TASKS ?? 50_000);
const namespace = 'plans';
const clock = { now: 1_700_000_000_000 };

/** A statement, and by which indexes it reaches tasks. */
const hot: Readonly<Record<string, readonly string[]>> = {
  known_tasks: ['tasks_pkey'],
  enqueue_whole: ['tasks_pkey'],
  enqueue_handing_over: ['tasks_pkey'],
  stand: ['tasks_ready', 'tasks_ready_group'],
  claim_whole_one: ['tasks_pkey', 'tasks_ready'],
  claim_whole_several: ['tasks_pkey', 'tasks_ready'],
  settle_whole: ['tasks_pkey'],
  claimable_tasks: ['tasks_ready'],
  claim_tasks: ['tasks_pkey'],
  running_under: ['tasks_pkey'],
  queued_rows: ['tasks_pkey'],
  tasks_behind: ['tasks_ready'],
  place_behind: ['tasks_ready'],
  first_heads: ['tasks_pkey', 'tasks_ready_group'],
  open_heads: ['tasks_pkey', 'tasks_ready_group'],
  group_tasks_behind: ['tasks_ready_group'],
  peeked_queue: ['tasks_due'],
  peek_pool: ['tasks_pkey', 'tasks_ready', 'tasks_ready_group'],
  peek_deep: ['tasks_ready', 'tasks_ready_group'],
  settled_tasks: ['tasks_pkey'],
  succeed_tasks: ['tasks_pkey'],
  succeed_remembered: ['tasks_pkey'],
  finish_tasks: ['tasks_pkey'],
  return_tasks: ['tasks_pkey'],
  beating_tasks: ['tasks_pkey'],
  extend_leases: ['tasks_pkey'],
  due_tasks: ['tasks_due'],
  next_due: ['tasks_due'],
  look_due: ['tasks_due'],
  look_overdue: ['tasks_check_at', 'tasks_judge'],
  promote_tasks: ['tasks_pkey'],
  waiting_overdue: ['tasks_check_at'],
  judged_tasks: ['tasks_judge'],
  prunable_tasks: ['tasks_pkey', 'tasks_prune'],
  tasks_by_id: ['tasks_pkey'],
  all_queues: ['tasks_ready', 'tasks_ready_due'],
  inspected_tasks: ['tasks_pkey'],
  look_at_tasks: ['tasks_pkey', 'tasks_ready', 'tasks_ready_group'],
  parent_rows: ['tasks_pkey'],
  unblock_tasks: ['tasks_pkey'],
  cancelled_tasks: ['tasks_pkey'],
};

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

  /** Indexes by which the plan of each hot statement reaches tasks, and what it reads without one. */
  async function plansOf(client: Client, seen: ReadonlyMap<string, Statement | EachStatement | ManyStatement>) {
    const plans: Record<string, unknown> = {};
    for (const name of Object.keys(hot)) {
      const statement = seen.get(name);
      expect(statement, `${name} is among the statements that were run`).toBeDefined();
      if (statement === undefined) continue;
      const plan = await planOf(client, statement);
      const used = [...plan.matchAll(/Scan (?:Backward )?using (tasks_\w+)/g)].map(([, index]) => index);
      plans[name] = /Seq Scan on tasks/.test(plan) ? plan : [...new Set(used)].sort();
    }
    return plans;
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
  async function planOf(client: Client, statement: Statement | EachStatement | ManyStatement): Promise<string> {
    const text = qualify(statement.text(postgresDialect, 1), namespace);
    const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));
    const values = count === 0 ? '' : `(${new Array(count).fill('NULL').join(', ')})`;
    await client.query(`PREPARE planned AS ${text}`);
    const { rows } = await client.query(`EXPLAIN EXECUTE planned${values}`);
    await client.query('DEALLOCATE planned');
    return rows.map((row) => String(row['QUERY PLAN'])).join('\n');
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
    expect(await plansOf(client, seen)).toEqual(hot);

    // A queue that ran empty just when the server counted: a plan of then is kept while thousands of tasks come.
    await client.query(`DELETE FROM ${namespace}.tasks`);
    await client.query(`ANALYZE ${namespace}.tasks`);
    expect(await plansOf(client, seen)).toEqual(hot);
    await client.query(`VACUUM ANALYZE ${namespace}.tasks`);
    // Among none at all, the services' statements then read all that is scheduled, or every id; those of each task do not.
    const scheduled = ['tasks_scheduled'];
    const vacuumed = {
      peeked_queue: scheduled,
      due_tasks: scheduled,
      look_due: scheduled,
      next_due: scheduled,
      judged_tasks: ['tasks_pkey'],
    };
    expect(await plansOf(client, seen)).toEqual({ ...hot, ...vacuumed });
    await broker.close();
  });
});
