/** The first schema: tasks with what hangs on them, keys, claims, kept counts, events, presences and settings. */

import type { Dialect } from '../driver.ts';

export const name = '0001_tasks';

/** The row's own number is what claims select by: it is its address in SQLite. */
const numbered = (dialect: Dialect): string =>
  dialect.name === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY';

/** A table of small rows that are found by their key alone. */
const keyed = (dialect: Dialect): string => (dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '');

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  return [
    tasksTable(dialect),
    ...(dialect.name === 'sqlite' ? ['CREATE UNIQUE INDEX tasks_id ON tasks (id)'] : []),
    ...taskIndexes,
    ...liveTables(dialect),
    ...recordTables(dialect),
    ...keptTables(dialect),
    ...(dialect.name === 'postgres' ? postgresStorage : []),
  ];
}

/**
 * Rows that live for a moment leave room for their next version in the page, and are cleared away after so many instead of a
 * share of the table: what is dead is read over by every claim.
 */
const postgresStorage: readonly string[] = [
  'ALTER TABLE tasks SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)',
  ...['keys', 'claims', 'deltas', 'counts', 'minutes', 'workers'].map(
    (table) =>
      `ALTER TABLE ${table} SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)`,
  ),
];

/** Postgres pays for every index with every write of a row: there the id is all that a row is found by. */
const address = (dialect: Dialect): string =>
  dialect.name === 'sqlite' ? `seq ${numbered(dialect)},\n      id text NOT NULL` : 'id text NOT NULL PRIMARY KEY';

function tasksTable(dialect: Dialect): string {
  // States are compared one by one: SQLite builds a table in memory for every check of an IN list, which cost each
  // write 3 of its 10 microseconds.
  return `CREATE TABLE tasks (
      ${address(dialect)},
      queue text NOT NULL,
      name text NOT NULL,
      state text NOT NULL,
      reason text,
      priority bigint NOT NULL,
      version bigint NOT NULL,
      epoch bigint NOT NULL,
      attempt bigint NOT NULL,
      generation bigint NOT NULL,
      crashes bigint NOT NULL,
      interruptions bigint NOT NULL,
      snoozes bigint NOT NULL,
      due_at bigint NOT NULL,
      created_at bigint NOT NULL,
      claimed_at bigint,
      started_at bigint,
      finished_at bigint,
      prune_at bigint,
      lease_until bigint,
      token text,
      settled_token text,
      worker_id text,
      judge_token text,
      judge_until bigint,
      start_by bigint,
      expires_at bigint,
      check_at bigint,
      timeout_ms bigint,
      keep_ms bigint NOT NULL,
      key text,
      cancel_requested_at bigint,
      cancel_reason text,
      schema_version text,
      fingerprint text,
      options text,
      policy text NOT NULL,
      progress text,
      checkpoints text,
      error text,
      result text,
      payload text NOT NULL,
      CONSTRAINT tasks_state CHECK (state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'scheduled' OR state = 'failed' OR state = 'cancelled' OR state = 'blocked'),
      CONSTRAINT tasks_lease CHECK ((state = 'running') = (token IS NOT NULL)),
      CONSTRAINT tasks_end CHECK ((finished_at IS NOT NULL) = (state = 'succeeded' OR state = 'failed' OR state = 'cancelled')),
      CONSTRAINT tasks_retention CHECK ((prune_at IS NOT NULL) = (finished_at IS NOT NULL)),
      CONSTRAINT tasks_check CHECK (check_at IS NULL OR state = 'queued' OR state = 'scheduled' OR state = 'blocked'),
      CONSTRAINT tasks_numbers CHECK (version > 0 AND epoch >= 0 AND attempt >= 0 AND generation > 0 AND priority >= 0 AND priority <= 9)
    )`;
}

const taskIndexes: readonly string[] = [
  // Only what waits or can still change is in these: an ordinary task is in one of them, for as long as it is queued.
  "CREATE INDEX tasks_ready ON tasks (queue, priority, due_at, id) WHERE state = 'queued'",
  "CREATE INDEX tasks_due ON tasks (due_at, id) WHERE state = 'scheduled'",
  'CREATE INDEX tasks_check_at ON tasks (check_at) WHERE check_at IS NOT NULL',
  'CREATE INDEX tasks_judge ON tasks (judge_token) WHERE judge_token IS NOT NULL',
  // For people: newest first by id. What succeeded is found by scanning: it is most of what there is.
  "CREATE INDEX tasks_state ON tasks (state, id) WHERE state = 'blocked' OR state = 'failed' OR state = 'cancelled'",
  // Apart from the others: with one index for all, the planner took it for the promoter too and sorted all that is scheduled.
  "CREATE INDEX tasks_scheduled ON tasks (id) WHERE state = 'scheduled'",
  'CREATE INDEX tasks_name ON tasks (name, id)',
  'CREATE INDEX tasks_prune ON tasks (prune_at) WHERE prune_at IS NOT NULL',
  'CREATE INDEX tasks_fingerprint ON tasks (fingerprint, id) WHERE fingerprint IS NOT NULL',
  'CREATE INDEX tasks_key ON tasks (key, id) WHERE key IS NOT NULL',
];

function liveTables(dialect: Dialect): readonly string[] {
  const narrow = keyed(dialect);
  return [
    // Who holds a key, and until when; NULL while the holder is unfinished.
    `CREATE TABLE keys (key text NOT NULL PRIMARY KEY, task_id text NOT NULL, held_until bigint)${narrow}`,
    'CREATE INDEX keys_held_until ON keys (held_until) WHERE held_until IS NOT NULL',

    // One row for each claim that still has running tasks. It answers a repeated token, and finds the running tasks that
    // need a verdict without an index on them: check_at is at or before the earliest of them.
    `CREATE TABLE claims (
      token text NOT NULL PRIMARY KEY,
      worker_id text NOT NULL,
      check_at bigint NOT NULL,
      running bigint NOT NULL CHECK (running > 0),
      task_ids text NOT NULL
    )${narrow}`,
    'CREATE INDEX claims_check_at ON claims (check_at)',
  ];
}

function recordTables(dialect: Dialect): readonly string[] {
  const seq = numbered(dialect);
  return [
    `CREATE TABLE attempts (
      seq ${seq}, task_id text NOT NULL, epoch bigint NOT NULL, attempt bigint NOT NULL, worker_id text, claimed_at bigint NOT NULL,
      started_at bigint, ended_at bigint NOT NULL, state text NOT NULL, reason text, error text
    )`,
    'CREATE INDEX attempts_task ON attempts (task_id, seq)',
    `CREATE TABLE logs (seq ${seq}, task_id text NOT NULL, epoch bigint NOT NULL, at bigint NOT NULL, level text NOT NULL, message text NOT NULL, fields text)`,
    'CREATE INDEX logs_task ON logs (task_id, seq)',
    // What happened to a task beyond its row and its attempts: retried by hand, edited, judged.
    `CREATE TABLE timeline (seq ${seq}, task_id text NOT NULL, at bigint NOT NULL, kind text NOT NULL, text text NOT NULL)`,
    'CREATE INDEX timeline_task ON timeline (task_id, seq)',
  ];
}

/** Events, kept numbers, settings and presences. */
function keptTables(dialect: Dialect): readonly string[] {
  const seq = numbered(dialect);
  const narrow = keyed(dialect);
  return [
    `CREATE TABLE events (seq ${seq}, at bigint NOT NULL, kind text NOT NULL, items text NOT NULL)`,
    // Differences not yet folded into counts and minutes.
    `CREATE TABLE deltas (seq ${seq}, at bigint NOT NULL, counts text NOT NULL, minutes text)`,
    `CREATE TABLE counts (queue text NOT NULL, name text NOT NULL, view text NOT NULL, tasks bigint NOT NULL, PRIMARY KEY (queue, name, view))${narrow}`,
    `CREATE TABLE minutes (
      at bigint NOT NULL, queue text NOT NULL, name text NOT NULL, succeeded bigint NOT NULL, failed bigint NOT NULL, cancelled bigint NOT NULL,
      retried bigint NOT NULL, wait_ms bigint NOT NULL, run_ms bigint NOT NULL, PRIMARY KEY (at, queue, name)
    )${narrow}`,
    `CREATE TABLE samples (
      at bigint NOT NULL, queue text NOT NULL, waiting bigint NOT NULL, running bigint NOT NULL, slots bigint NOT NULL, workers bigint NOT NULL,
      PRIMARY KEY (at, queue)
    )${narrow}`,

    `CREATE TABLE queues (name text NOT NULL PRIMARY KEY, paused_at bigint, paused_by text, pause_reason text)${narrow}`,
    `CREATE TABLE workers (
      worker_id text NOT NULL PRIMARY KEY, server bigint NOT NULL, started_at bigint NOT NULL, beat_at bigint NOT NULL, presence text NOT NULL,
      definitions text NOT NULL
    )${narrow}`,
  ];
}
