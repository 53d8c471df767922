/** Operations on errors: failures of one kind together, by their fingerprint. From a bounded look at the newest, never counted. */

import { reachesQueue } from '../core/access.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Filter, FilterTerm } from '../core/filter.ts';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import type { TaskSummary } from '../history/history.ts';
import { begunBulk } from './audited-state.ts';
import { type BulkCreatedDocument, createBulk } from './bulk.ts';
import type { ErrorInput, ErrorListInput, ErrorRetryInput } from './bulk-schemas.ts';
import { type ErrorMarkDocument, type ErrorMarks, noMarks, readMarks } from './error-marks.ts';
import type { Operation, OperationContext } from './operation.ts';
import { type ListedTaskDocument, listedTaskDocument } from './task-document.ts';

/** Failures of one kind: the same task, class of error, message without its numbers and ids, and place in the code. */
export interface ErrorGroupDocument {
  readonly fingerprint: string;
  /** Name of the task. */
  readonly task: string;
  /** Of the newest failure. */
  readonly errorName: string;
  readonly message: string;
  /** Failed tasks of it among those that were looked at: of the last hour, of the last day, all. */
  readonly lastHour: number;
  readonly lastDay: number;
  readonly count: number;
  /** Among those that were looked at. */
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  /** The failed task that was enqueued last. */
  readonly newestId: string;
  /** What somebody has said of it; `null` for nothing, and when that is over. */
  readonly mark: ErrorMarkDocument | null;
}

export interface ErrorListDocument {
  /** The most of the last day first. */
  readonly errors: readonly ErrorGroupDocument[];
  /** Failed tasks that were looked at, the newest of them, and whether these are all there are. */
  readonly looked: number;
  readonly exact: boolean;
}

export interface ErrorDocument extends ErrorGroupDocument {
  /** Of the newest failure. */
  readonly stack: string | null;
  /** Whether the counts are of all its failures. */
  readonly exact: boolean;
  /** Tasks that failed so, the newest 20 of them. */
  readonly tasks: readonly ListedTaskDocument[];
}

export const errorList: Operation<ErrorListInput, ErrorListDocument> = {
  name: 'error.list',
  summary: 'List what fails, failures of one kind together',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/errors' },
  audit: null,
  schema: async () => (await import('./bulk-schemas.ts')).errorListInput,
  output: async () => (await import('./error-output.ts')).errorListOutput,
  run: (context, { limit = 50 }) => listErrors(context, limit),
};

export async function listErrors(context: OperationContext, limit: number): Promise<ErrorListDocument> {
  const { tasks, isExact, now } = await look(context, { terms: [failed] });
  const groups = Map.groupBy(tasks, ({ error }) => error?.fingerprint ?? '');
  groups.delete('');
  const marks = groups.size === 0 ? noMarks : await readMarks(context, now);
  const errors = [...groups.values()].flatMap((group) => groupDocument(group, now, marks) ?? []);
  errors.sort((a, b) => b.lastDay - a.lastDay || b.count - a.count || (a.fingerprint < b.fingerprint ? -1 : 1));
  return { errors: errors.slice(0, limit), looked: tasks.length, exact: isExact };
}

/** A fingerprint without a failed task is ERROR_NOT_FOUND. */
export const errorGet: Operation<ErrorInput, ErrorDocument> = {
  name: 'error.get',
  summary: 'Show failures of one kind, with the stack of the newest',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/errors/:fingerprint' },
  audit: null,
  schema: async () => (await import('./bulk-schemas.ts')).errorInput,
  output: async () => (await import('./error-output.ts')).errorOutput,
  async run(context, { fingerprint }) {
    const { tasks, isExact, now } = await look(context, { terms: [failed, ofKind(fingerprint)] });
    const group = groupDocument(tasks, now, await readMarks(context, now));
    if (group === null) throw taskFlowError('ERROR_NOT_FOUND', { fingerprint });
    const shown = tasks.slice(0, limits.holdersMax).map(listedTaskDocument);
    return { ...group, stack: tasks[0]?.error?.stack ?? null, exact: isExact, tasks: shown };
  },
};

export const errorRetry: Operation<ErrorRetryInput, BulkCreatedDocument> = {
  name: 'error.retry',
  summary: 'Run every task again that failed in this way, after a time to undo it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/errors/:fingerprint/retry' },
  audit: 'began to retry all tasks of error {fingerprint}',
  made: begunBulk,
  schema: async () => (await import('./bulk-schemas.ts')).errorRetryInput,
  output: async () => (await import('./bulk-output.ts')).bulkCreatedOutput,
  async run(context, { fingerprint, ...rest }) {
    const { tasks } = await look(context, { terms: [failed, ofKind(fingerprint)] });
    if (tasks.length === 0) throw taskFlowError('ERROR_NOT_FOUND', { fingerprint });
    return createBulk(context, { ...rest, verb: 'retry', q: `state:failed err:${fingerprint}` });
  },
};

const failed: FilterTerm = {
  field: 'state',
  path: [],
  values: [{ kind: 'word', text: 'failed', prefix: false }],
  negated: false,
  position: 1,
};

function ofKind(fingerprint: string): FilterTerm {
  return { ...failed, field: 'err', values: [{ kind: 'word', text: fingerprint, prefix: false }] };
}

interface Look {
  readonly tasks: readonly TaskSummary[];
  readonly isExact: boolean;
  readonly now: number;
}

/** One page, as large as pages may be, without what the actor's key does not reach. */
async function look({ store, actor }: OperationContext, filter: Filter): Promise<Look> {
  const page = { after: null, limit: limits.pageMax };
  const [info, { tasks, next }] = await Promise.all([store.broker.info(), store.history.search(filter, page)]);
  const reached = tasks.filter(({ queue }) => reachesQueue(actor.queues ?? null, queue));
  return { tasks: reached, isExact: next === null, now: info.now };
}

const hourMs = 3_600_000;

function groupDocument(tasks: readonly TaskSummary[], now: number, marks: ErrorMarks): ErrorGroupDocument | null {
  const [newest] = tasks;
  if (newest?.error == null) return null;
  const times = tasks.map(({ finishedAt, createdAt }) => finishedAt ?? createdAt);
  return {
    fingerprint: newest.error.fingerprint,
    task: newest.name,
    errorName: newest.error.name,
    message: newest.error.message,
    lastHour: times.filter((at) => at > now - hourMs).length,
    lastDay: times.filter((at) => at > now - 24 * hourMs).length,
    count: tasks.length,
    firstSeenAt: isoTime(Math.min(...times)),
    lastSeenAt: isoTime(Math.max(...times)),
    newestId: newest.id,
    mark: marks.get(newest.error.fingerprint) ?? null,
  };
}
