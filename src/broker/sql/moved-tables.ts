/** What `db move` takes along: every table of the schema, or the reason why it stays behind. */

import type { Columns } from './driver.ts';

export interface MovedTable {
  readonly name: string;
  /** In which order its rows are read. `seq` is numbered anew, in the same order. */
  readonly key: readonly string[];
  /** All but `seq`. */
  readonly columns: Columns;
  /** Read in place of a column. */
  readonly instead?: Readonly<Record<string, string>>;
}

/** Who has paused the queues of a store that is moved. */
export const movePause = 'db move';

const unlessMoved = (column: string): string => `CASE WHEN paused_by = '${movePause}' THEN NULL ELSE ${column} END`;

function columns(text: string, bigint: string): Columns {
  const words = (list: string): string[] => list.split(' ').filter((word) => word !== '');
  return Object.fromEntries([
    ...words(text).map((name) => [name, 'text'] as const),
    ...words(bigint).map((name) => [name, 'bigint'] as const),
  ]);
}

const seq = ['seq'];

export const movedTables: readonly MovedTable[] = [
  {
    name: 'queues',
    key: ['name'],
    columns: columns('name paused_by pause_reason', 'paused_at limited'),
    instead: {
      paused_at: unlessMoved('paused_at'),
      paused_by: unlessMoved('paused_by'),
      pause_reason: unlessMoved('pause_reason'),
    },
  },
  { name: 'groups', key: ['name'], columns: columns('name paused_by pause_reason', 'weight paused_at') },
  {
    name: 'limits',
    key: ['name'],
    columns: columns('name paused_by pause_reason', 'max rate_count rate_per_ms tat missed paused_at'),
  },
  {
    name: 'schedules',
    key: ['name'],
    columns: columns(
      'name paused_by pause_reason last_task_id definition recent',
      'version next_at due_at paused_at created_at changed_at',
    ),
  },
  {
    name: 'tasks',
    key: ['id'],
    columns: columns(
      `id queue name state reason token settled_token worker_id judge_token key cancel_reason schema_version fingerprint options policy
       progress checkpoints error result payload grp`.replaceAll('\n', ' '),
      `priority version epoch attempt generation crashes interruptions snoozes due_at created_at claimed_at started_at finished_at
       prune_at lease_until judge_until start_by expires_at check_at timeout_ms keep_ms cancel_requested_at`.replaceAll(
        '\n',
        ' ',
      ),
    ),
  },
  { name: 'keys', key: ['key'], columns: columns('key task_id', 'held_until') },
  { name: 'slots', key: ['name', 'task_id'], columns: columns('name task_id', '') },
  { name: 'claims', key: ['token'], columns: columns('token worker_id task_ids', 'check_at running') },
  { name: 'edges', key: ['parent_id', 'child_id'], columns: columns('parent_id child_id state on_failure', 'awaited') },
  { name: 'members', key: ['flow_id', 'task_id'], columns: columns('flow_id task_id', '') },
  { name: 'flows', key: ['flow_id'], columns: columns('flow_id cancel_reason', 'cancelled_at') },
  { name: 'rounds', key: ['queue'], columns: columns('queue', 'turn plain_turn plain_since') },
  { name: 'turns', key: ['queue', 'grp'], columns: columns('queue grp', 'turn since standing') },
  {
    name: 'attempts',
    key: seq,
    columns: columns('task_id worker_id state reason error', 'epoch attempt claimed_at started_at ended_at'),
  },
  { name: 'logs', key: seq, columns: columns('task_id level message fields', 'epoch at') },
  { name: 'timeline', key: seq, columns: columns('task_id kind text', 'at') },
  { name: 'relay', key: seq, columns: columns('task_id task problem', 'at') },
  { name: 'counts', key: ['queue', 'name', 'view'], columns: columns('queue name view', 'tasks') },
  {
    name: 'minutes',
    key: ['at', 'queue', 'name'],
    columns: columns('queue name', 'at succeeded failed cancelled retried wait_ms run_ms'),
  },
  {
    name: 'rollups',
    key: ['span', 'at', 'queue', 'name'],
    columns: columns('queue name', 'span at succeeded failed cancelled retried wait_ms run_ms'),
  },
  {
    name: 'samples',
    key: ['at', 'queue'],
    columns: columns('queue', 'at waiting running slots workers'),
  },
  {
    name: 'access_keys',
    key: ['id'],
    columns: columns(
      'id kind label hash role scopes queues created_by',
      'created_at expires_at last_used_at revoked_at rate_count rate_ms',
    ),
  },
  {
    name: 'audit',
    key: ['id'],
    columns: columns('id actor key_id address request_id operation line input before_state after_state outcome', 'at'),
  },
];

/** Why the others stay behind. */
export const leftTables: Readonly<Record<string, string>> = {
  deltas: 'folded into counts and minutes before',
  latencies: 'of the last hours, for totals that begin anew with the process that tells them',
  events: 'a stream of hints, numbered by its own database',
  recorded: 'of a record',
  recorder: 'a record is no live store, and is not moved',
  unrecorded: 'of a record',
  gaps: 'of a record',
  access_sessions: 'people sign in anew',
  access_links: 'good for minutes',
  access_tries: 'good for minutes',
  workers: 'whoever works with the other store tells so there',
  meta: 'of the database itself',
  migrations: 'of the database itself',
};
