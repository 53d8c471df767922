/** From the messages of workers over HTTP to what the seam takes: checked where a schema cannot, cut where a worker of ours would cut. */

import type { Beat, ClaimRequest, HeartbeatRequest } from '../broker/broker.ts';
import { taskDefaults } from '../client/task-defaults.ts';
import { toTaskError } from '../core/error-facts.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { sha256Hex } from '../core/hash.ts';
import { encodeJson } from '../core/json.ts';
import { checkLimitRules } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { checkKey, checkName } from '../core/names.ts';
import { invalidOption } from '../core/option-names.ts';
import { defaultPolicy, encodePolicy, type Policy } from '../core/policy.ts';
import type { Definition, Presence } from '../core/presence.ts';
import { readRedactPaths } from '../core/redact-paths.ts';
import type { Checkpoint, Lease, LogLine, NewTask, Outcome, Progress, TaskError } from '../core/task.ts';
import { compileTemplate } from '../core/template.ts';
import { traceContext } from '../core/traceparent.ts';
import type {
  DefinitionMessage,
  ErrorMessage,
  HeartbeatMessage,
  LeaseMessage,
  LogMessage,
  NewTaskMessage,
  NextClaimMessage,
  OutcomeMessage,
  PolicyMessage,
  ProgressMessage,
  StepMessage,
  WorkerMessage,
} from '../core/worker-protocol.ts';
import type { Actor } from './operation.ts';

/**
 * Whose leases these are. The store knows a worker, and the token of a claim, by a digest over who asked: another key or
 * another worker that sends the same words means another lease, whoever it has them from.
 */
export interface Holder {
  readonly workerId: string;
  tokenOf(token: string): string;
}

const digestLength = 32;

export function holderOf(actor: Actor, workerId: string): Holder {
  const own = (...words: readonly string[]): string =>
    sha256Hex(JSON.stringify([actor.keyId ?? actor.name, workerId, ...words]), digestLength);
  return { workerId: own(), tokenOf: (token) => own(token) };
}

/** Throws QUEUE_FORBIDDEN for a queue that the key of the actor was not made for. */
export function checkQueues({ name, queues }: Actor, wanted: readonly string[]): void {
  if (queues === undefined || queues === null) return;
  const isMatch = (pattern: string, queue: string): boolean => {
    const [first = '', ...rest] = pattern.split('*');
    if (rest.length === 0) return queue === pattern;
    const last = rest.pop() ?? '';
    if (!queue.startsWith(first) || queue.length < first.length + last.length || !queue.endsWith(last)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = queue.indexOf(piece, at);
      if (found < 0 || found + piece.length > queue.length - last.length) return false;
      at = found + piece.length;
    }
    return true;
  };
  const queue = wanted.find((one) => !queues.some((pattern) => isMatch(pattern, one)));
  if (queue !== undefined) throw taskFlowError('QUEUE_FORBIDDEN', { actor: name, queue, queues: queues.join(', ') });
}

export function readClaim(holder: Holder, message: NextClaimMessage): ClaimRequest {
  const queues = Object.entries(message.queues).map(([name, limit]) => ({ name, limit }));
  const slots = queues.reduce((sum, { limit }) => sum + limit, 0);
  return {
    workerId: holder.workerId,
    token: holder.tokenOf(message.token),
    queues,
    limit: Math.min(message.limit ?? slots, limits.batchMax),
    leaseMs: message.leaseMs ?? limits.leaseMs,
  };
}

export function readLease(holder: Holder, { id, token, epoch }: LeaseMessage): Lease {
  return { taskId: id, token: holder.tokenOf(token), epoch };
}

/** Throws INVALID_OPTION for a task that is there twice: which of the two is the newer one, nobody could tell. */
export function checkOnce(leases: readonly LeaseMessage[], what: string): void {
  const seen = new Set<string>();
  for (const [index, { id }] of leases.entries()) {
    if (seen.has(id)) throw invalidOption(`${what}[${index}].lease.id`, `task ${id} is there twice`);
    seen.add(id);
  }
}

export function readPresence(
  holder: Holder,
  worker: WorkerMessage,
  state: Presence['state'],
  definitions: readonly Definition[] | null,
): Presence {
  const { queues = {} } = worker;
  const slots = Object.values(queues).reduce((sum, limit) => sum + limit, 0);
  return {
    workerId: holder.workerId,
    name: worker.name ?? worker.id,
    host: worker.host ?? '',
    pid: worker.pid ?? 0,
    bootId: worker.bootId ?? null,
    version: worker.version ?? '',
    queues,
    concurrency: worker.concurrency ?? Math.min(slots, limits.concurrencyMax),
    running: worker.running ?? 0,
    state,
    services: false,
    server: false,
    taskNames: worker.tasks ?? definitions?.map(({ name }) => name) ?? [],
    definitions,
    ...(worker.loopLagMs !== undefined && { loopLagMs: worker.loopLagMs }),
    ...(worker.blocked !== undefined && { blocked: worker.blocked }),
    ...(worker.stall !== undefined && { stall: worker.stall }),
  };
}

/** Throws INVALID_OPTION for what an enqueue by name could not work with. */
export function readDefinitions(given: readonly DefinitionMessage[] | undefined): readonly Definition[] | null {
  return given === undefined ? null : given.map(readDefinition);
}

function readDefinition(given: DefinitionMessage, index: number): Definition {
  const at = `definitions[${index}]`;
  const defaults = taskDefaults();
  const { key = null, group = null, keyForMs = null, ifExists = 'return', inputSchema = null } = given;
  for (const [what, template] of Object.entries({ key, group }))
    if (template !== null) compileTemplate(template, { what: `${at}.${what}` });
  for (const { key: template } of given.limits ?? [])
    if (template !== null) compileTemplate(template, { what: `${at}.limits` });
  const bounds = { what: `${at}.inputSchema`, bytesMax: limits.definitionBytesMax, depthMax: limits.jsonDepthMax };
  encodeJson(inputSchema, bounds);
  return {
    name: checkName(given.name, `${at}.name`),
    description: given.description ?? null,
    queue: given.queue === undefined ? 'default' : checkName(given.queue, `${at}.queue`),
    inputSchema,
    schemaVersion: given.schemaVersion ?? null,
    policy: readPolicy(given.policy, defaults.policy),
    timeoutMs: given.timeoutMs === undefined ? defaults.timeoutMs : given.timeoutMs,
    key,
    keyForMs,
    ifExists,
    group,
    limits: given.limits ?? [],
    ...(given.schedules !== undefined && { schedules: given.schedules }),
    ...(given.isFlow === true && { isFlow: true }),
    file: given.file ?? null,
  };
}

function readPolicy(given: PolicyMessage = {}, base: Policy): string {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const redact = given.redact == null ? {} : { redact: readRedactPaths(given.redact, 'policy.redact') };
  return encodePolicy({ ...base, ...said, ...redact });
}

/** The heartbeat without its beats. */
export function readHeartbeat(message: HeartbeatMessage, worker: Presence): Omit<HeartbeatRequest, 'beats'> {
  return {
    worker,
    leaseMs: message.leaseMs ?? limits.leaseMs,
    ...(message.heard !== undefined && { heard: message.heard }),
    ...(message.stack !== undefined && { stack: message.stack }),
  };
}

export function readBeat(lease: Lease, beat: NonNullable<HeartbeatMessage['beats']>[number], now: number): Beat {
  return {
    lease,
    ranMs: readRanMs(beat.ranMs),
    progress: readProgress(beat.progress),
    logs: readLogs(beat.logs, now),
    checkpoints: (beat.steps ?? []).map(readStep),
  };
}

export function readRanMs(ranMs: number | null | undefined): number | null {
  return ranMs === null || ranMs === undefined ? null : Math.round(ranMs);
}

export function readProgress(progress: ProgressMessage | null | undefined): Progress | null {
  if (progress === null || progress === undefined) return null;
  const { done, total = null, note = null } = progress;
  return { done, total, note: note === null ? null : cut(note, limits.progressNoteMax) };
}

export function readLogs(logs: readonly LogMessage[] = [], now: number): readonly LogLine[] {
  return logs.map(({ at, level = 'info', message, fields }) => ({
    at: at === undefined ? now : Date.parse(at),
    level,
    message: cut(message, limits.logLineMax),
    fields: fields === undefined || fields === null ? null : readFields(fields),
  }));
}

/** A line that says too much is kept, and says so. */
function readFields(fields: unknown): string {
  const text = JSON.stringify(fields);
  return text.length <= limits.logFieldsBytesMax && Buffer.byteLength(text) <= limits.logFieldsBytesMax
    ? text
    : JSON.stringify({ dropped: `fields larger than ${limits.logFieldsBytesMax} bytes` });
}

/** Throws STEP_TOO_LARGE. */
function readStep({ name, value }: StepMessage): Checkpoint {
  const what = `The step "${name}"`;
  return {
    name,
    value:
      value === undefined
        ? null
        : encodeJson(value, {
            what,
            bytesMax: limits.stepBytesMax,
            depthMax: limits.jsonDepthMax,
            tooLarge: 'STEP_TOO_LARGE',
          }),
  };
}

/** What the report means. A result that cannot be kept is a run that failed, as it would be in a worker with the code. */
export function readOutcome(taskName: string, message: OutcomeMessage): Outcome {
  switch (message.outcome) {
    case 'done':
      return readResult(taskName, message.result);
    case 'error': {
      const { error, retryable = true, retryAfterMs = null } = message;
      return { kind: 'error', error: readError(taskName, error), retryable, retryAfterMs };
    }
    case 'giveUp':
    case 'crashed':
    case 'undecodable':
      return { kind: message.outcome, error: readError(taskName, message.error) };
    case 'timedOut': {
      const error = message.error ?? { name: 'TimeoutError', message: 'The run took longer than it may.' };
      return { kind: 'timedOut', error: readError(taskName, error), byLife: message.byLife ?? false };
    }
    case 'snooze':
      return { kind: 'snooze', delayMs: message.delayMs };
    default:
      return { kind: message.outcome };
  }
}

function readResult(taskName: string, result: unknown): Outcome {
  if (result === undefined) return { kind: 'done', result: null };
  const what = `The result of ${taskName}`;
  const bounds = { what, bytesMax: limits.resultBytesMax, depthMax: limits.jsonDepthMax } as const;
  try {
    return { kind: 'done', result: encodeJson(result, { ...bounds, tooLarge: 'RESULT_TOO_LARGE' }) };
  } catch (thrown) {
    if (!(thrown instanceof TaskFlowError)) throw thrown;
    return { kind: 'error', error: toTaskError(taskName, thrown), retryable: false, retryAfterMs: null };
  }
}

function readError(taskName: string, { name = 'Error', message, stack }: ErrorMessage): TaskError {
  const shown = { name, message: cut(message, limits.errorMessageMax) };
  // Its first line is the message, in whatever language the frames below it are.
  const given = stack ? { ...shown, stack: `${shown.message}\n${stack}` } : shown;
  return toTaskError(taskName, given);
}

/** Throws INVALID_OPTION and what an enqueue of the same task would throw. `path` is where it stands. */
export function readNewTask(given: NewTaskMessage, path: string): NewTask {
  const { input, policy, dependsOn, blocks, at, traceparent, tracestate, ...rest } = given;
  checkName(given.name, `${path}.name`);
  checkName(given.queue, `${path}.queue`);
  for (const tag of given.tags) checkName(tag, `${path}.tags`);
  if (given.group !== null) checkKey(given.group, `${path}.group`);
  if (given.key !== null) checkKey(given.key, `${path}.key`);
  if (given.keyForMs !== null && (given.key === null || given.ifExists === 'replace' || given.ifExists === 'debounce'))
    throw invalidOption(`${path}.keyForMs`, 'it keeps a key after success, and there is none to keep');
  if (at !== null && given.delayMs !== 0)
    throw invalidOption(`${path}.at`, 'a task has either a delay or a time, not both');
  checkLimitRules(given.limits);
  const bounds = { what: `${path}.input`, bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax };
  return {
    ...rest,
    at: at === null ? null : readTime(at, `${path}.at`),
    payload: encodeJson(input ?? null, bounds),
    policy: readPolicy(policy, defaultPolicy),
    dependsOn: dependsOn.map(({ id, onFailure }) => ({ taskId: id, onFailure })),
    blocks: blocks.map(({ id, onFailure }) => ({ taskId: id, onFailure })),
    traceparent: traceparent === null ? null : traceContext(traceparent, tracestate),
    firedBy: null,
  };
}

function readTime(text: string, what: string): number {
  const ms = Date.parse(text);
  if (ms >= 0 && ms <= limits.atMaxMs) return ms;
  throw taskFlowError('INVALID_OPTION', { what, problem: `${text} is not a time from 1970 to 9999` });
}

function cut(text: string, max: number): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).replaceAll('\0', '\ufffd').toWellFormed();
}
