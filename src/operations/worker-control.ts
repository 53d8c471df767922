/** Operations on one worker: look at it, and tell it what to do. */

import type { SentCommand, StoredStack, WorkerCommand } from '../core/commands.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { nearest } from '../core/nearest.ts';
import { invalidOption } from '../core/option-names.ts';
import { isAlive, type WorkerRecord } from '../core/presence.ts';
import { isoTime, sleep } from '../core/time.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { ScaleInput, WorkerInput } from './schemas.ts';
import { type WorkerDocument, workerDocument } from './worker.ts';

/** A worker with its last answer to `stack`. */
export interface WorkerRecordDocument extends WorkerDocument {
  readonly stack: (Omit<StoredStack, 'at'> & { readonly at: string }) | null;
}

export const workerGet: Operation<WorkerInput, WorkerRecordDocument> = {
  name: 'worker.get',
  summary: 'Show one worker, what waits to be heard by it, and its last stacks',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/workers/:id' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).workerInput,
  output: async () => (await import('./worker-output.ts')).workerRecordOutput,
  async run(context, { id }) {
    const { records, now } = await readWorkers(context);
    return recordDocument(findWorker(records, id), now);
  },
};

const told = { drain: 'drained', resume: 'resumed', stack: 'took the stacks of', restart: 'restarted' } as const;

export const workerDrain = telling(
  'drain',
  'Let a worker claim nothing more until it resumes or restarts; what runs goes on',
);
export const workerResume = telling('resume', 'Let a drained worker claim again');
export const workerStack = telling('stack', 'Ask a worker what each of its slots does now');
export const workerRestart = telling('restart', 'Drain a worker, end its process and start it anew');

export const workerScale: Operation<ScaleInput, WorkerRecordDocument> = {
  name: 'worker.scale',
  summary: 'Change the number of slots of a worker until it restarts',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/workers/:id/scale' },
  audit: 'scaled worker {id}',
  state: slotsOf,
  schema: async () => (await import('./schemas.ts')).scaleInput,
  output: async () => (await import('./worker-output.ts')).workerRecordOutput,
  run: (context, { id, concurrency }) => tell(context, id, { kind: 'scale', concurrency }),
};

function telling(
  kind: Exclude<WorkerCommand['kind'], 'scale'>,
  summary: string,
): Operation<WorkerInput, WorkerRecordDocument> {
  return {
    name: `worker.${kind}`,
    summary,
    role: 'operator',
    scope: 'operate',
    rest: { method: 'POST', path: `/workers/:id/${kind}` },
    audit: `${told[kind]} worker {id}`,
    state: slotsOf,
    schema: async () => (await import('./schemas.ts')).workerInput,
    output: async () => (await import('./worker-output.ts')).workerRecordOutput,
    run: (context, { id }) => tell(context, id, { kind }),
  };
}

/** What commands change. */
async function slotsOf(context: OperationContext, { id }: WorkerInput) {
  const { records, now } = await readWorkers(context);
  const { id: workerId, name, state, concurrency, queues, commands } = workerDocument(findWorker(records, id), now);
  return { id: workerId, name, state, concurrency, queues, commands };
}

/** Leaves the command and waits a little for the worker to confirm it: `commands` of the answer shows what it has not heard. */
async function tell(
  context: OperationContext,
  idOrName: string,
  command: WorkerCommand,
): Promise<WorkerRecordDocument> {
  const { broker } = context.store;
  const { records, now } = await readWorkers(context);
  const target = findWorker(records, idOrName);
  if (Object.keys(target.queues).length === 0)
    throw invalidOption('worker', `${target.name} is a server: it runs no tasks and takes no commands`);
  const [sent] = await broker.control([target.workerId], command);
  if (sent?.outcome !== 'sent') throw notFound(idOrName, []);
  const until = context.clock.elapsed() + (isAlive(target, now) ? limits.confirmMs : 0);
  for (;;) {
    const looked = await readWorkers(context);
    const record = looked.records.find(({ workerId }) => workerId === target.workerId);
    // It is gone: it stopped on its own, or because it was told to restart.
    if (record === undefined) return recordDocument({ ...target, state: 'stopped' }, looked.now);
    if (isConfirmed(record, sent.id, command) || context.clock.elapsed() >= until)
      return recordDocument(record, looked.now);
    await sleep(context.clock, limits.confirmLookMs);
  }
}

function isConfirmed({ commands, stack }: WorkerRecord, id: number, { kind }: WorkerCommand): boolean {
  // A worker whose loop does not turn answers though it cannot confirm.
  if (kind === 'stack') return stack !== null && stack.answers >= id;
  return commands.every((waiting: SentCommand) => waiting.id !== id);
}

async function readWorkers({ store }: OperationContext): Promise<{ records: readonly WorkerRecord[]; now: number }> {
  const [info, records] = await Promise.all([store.broker.info(), store.broker.getWorkers()]);
  return { records, now: info.now };
}

/** By its id, the first characters of it, or its name. Throws WORKER_NOT_FOUND, and INVALID_OPTION when several are meant. */
function findWorker(records: readonly WorkerRecord[], text: string): WorkerRecord {
  const exact = records.find(({ workerId }) => workerId === text);
  if (exact !== undefined) return exact;
  const named = records.filter(({ name }) => name === text);
  const found = named.length > 0 ? named : records.filter(({ workerId }) => isBeginning(text, workerId));
  const [first] = found;
  if (first === undefined) throw notFound(text, records);
  if (found.length === 1) return first;
  const ids = found.map(({ workerId }) => workerId).join(', ');
  throw invalidOption('worker', `"${text}" means ${found.length} of them; name one by its id: ${ids}`);
}

/** Characters of an id that may stand for it: enough to be unique among thousands. */
const idBeginningMin = 6;

function isBeginning(text: string, workerId: string): boolean {
  return text.length >= idBeginningMin && workerId.startsWith(text);
}

function notFound(text: string, records: readonly WorkerRecord[]): Error {
  const near = nearest(
    text,
    records.map(({ name }) => name),
  );
  return taskFlowError('WORKER_NOT_FOUND', { name: text }, near === null ? {} : { hint: `Did you mean "${near}"?` });
}

function recordDocument(record: WorkerRecord, now: number): WorkerRecordDocument {
  const { stack } = record;
  return {
    ...workerDocument(record, now),
    stack: stack === null ? null : { ...stack, at: isoTime(stack.at) },
  };
}
