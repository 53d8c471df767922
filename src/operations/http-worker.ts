/**
 * Operations of workers that reach TaskFlow over HTTP alone. They say how a run ended; what that means is decided here, by the
 * same rules as in a worker with the code, and stored under the same fences. See docs/guide/http-workers.md.
 */

import type { Beat, ClaimRequest, SettleAnswer } from '../broker/broker.ts';
import { reachesQueue } from '../core/access.ts';
import { invariant } from '../core/assert.ts';
import { decide } from '../core/decide.ts';
import { toTaskError } from '../core/error-facts.ts';
import { taskFlowError } from '../core/errors.ts';
import { checkHiddenNames } from '../core/hidden-names.ts';
import { limits } from '../core/limits.ts';
import { type Definition, isAlive } from '../core/presence.ts';
import { scrubError, scrubProgress } from '../core/redact-task.ts';
import type { ClaimedTask, Lease, Outcome, Progress, Settlement } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import type {
  ClaimAnswer,
  ClaimMessage,
  DeregisterAnswer,
  DeregisterMessage,
  HeartbeatMessage,
  HeartbeatReply,
  ListenAnswer,
  ListenMessage,
  OutcomeMessage,
  OutcomesAnswer,
  OutcomesMessage,
  RegisterAnswer,
  RegisterMessage,
} from '../core/worker-protocol.ts';
import { type HeldTask, keepLogs, keepSteps } from './held-tasks.ts';
import {
  checkOnce,
  checkQueues,
  type Holder,
  holderOf,
  readBeat,
  readClaim,
  readDefinitions,
  readHeartbeat,
  readLease,
  readLogs,
  readNewTask,
  readOutcome,
  readPresence,
  readProgress,
  readRanMs,
} from './http-worker-reading.ts';
import { claimedMessage, outcomeResult } from './http-worker-writing.ts';
import { withinReach } from './links.ts';
import type { Operation, OperationContext } from './operation.ts';
import { refusedQueues } from './queue-names.ts';
import { checkAgain, checkStillLetIn } from './still-allowed.ts';

/** Not in the audit: what a worker did is told by its tasks, thousands of times a second. */
const ofWorkers = { role: 'operator', scope: 'work', audit: null } as const;

const address = (verb: string) =>
  ({ method: 'POST', path: `/worker/${verb}`, bodyBytesMax: limits.workerBodyBytesMax }) as const;

export const workerRegister: Operation<RegisterMessage, RegisterAnswer> = {
  name: 'worker.register',
  summary: 'Make a worker over HTTP and the tasks it can run known',
  ...ofWorkers,
  rest: address('register'),
  schema: async () => (await import('./http-worker-schemas.ts')).registerInput,
  output: async () => (await import('./http-worker-output.ts')).registerOutput,
  async run(context, message) {
    const { now, commands } = await beatAll(context, message, []);
    return {
      id: holderOf(context.actor, message.worker.id).workerId,
      now: isoTime(now),
      leaseMs: limits.leaseMs,
      beatMs: Math.round(Math.min(limits.leaseMs, limits.presenceMs) / 3),
      waitMaxMs: limits.claimWaitMaxMs,
      commands,
    };
  },
};

export const workerClaim: Operation<ClaimMessage, ClaimAnswer> = {
  name: 'worker.claim',
  summary: 'Claim tasks for free slots of a worker over HTTP, and wait for the first',
  ...ofWorkers,
  rest: address('claim'),
  schema: async () => (await import('./http-worker-schemas.ts')).claimInput,
  output: async () => (await import('./http-worker-output.ts')).claimOutput,
  async run(context, message) {
    checkQueues(context.actor, Object.keys(message.queues));
    const request = readClaim(holderOf(context.actor, message.worker), message);
    const claimed = await claimWithin(context, request, message.waitMs ?? 0);
    return { tasks: handOut(context, claimed, message.token) };
  },
};

export const workerHeartbeat: Operation<HeartbeatMessage, HeartbeatReply> = {
  name: 'worker.heartbeat',
  summary: 'Renew leases of a worker over HTTP, with progress, log lines and steps',
  ...ofWorkers,
  rest: address('heartbeat'),
  schema: async () => (await import('./http-worker-schemas.ts')).heartbeatInput,
  output: async () => (await import('./http-worker-output.ts')).heartbeatOutput,
  async run(context, message) {
    const holder = holderOf(context.actor, message.worker.id);
    const beats = await readBeats(context, holder, message.beats ?? []);
    const answer = await beatAll(context, message, beats);
    const lost = beats.flatMap(({ lease }, index) => (answer.beats[index] === 'lost' ? [lease] : []));
    // The beats are stored: what cannot be noted of those that were refused must not undo that.
    if (lost.length > 0) noteForeign(context, message.worker.id, holder, lost).catch(() => undefined);
    return { now: isoTime(answer.now), answers: answer.beats, commands: answer.commands };
  },
};

export const workerListen: Operation<ListenMessage, ListenAnswer> = {
  name: 'worker.listen',
  summary: 'Wait until a worker over HTTP should send a heartbeat at once',
  ...ofWorkers,
  rest: address('listen'),
  schema: async () => (await import('./http-worker-schemas.ts')).listenInput,
  output: async () => (await import('./http-worker-output.ts')).listenOutput,
  async run({ actor, remote, gone }, { worker, waitMs = limits.claimWaitMaxMs }) {
    const news = remote.hints.news(holderOf(actor, worker).workerId);
    try {
      await news.wait(waitMs, gone?.());
      await checkStillLetIn(actor);
      return news.take();
    } finally {
      news.end();
    }
  },
};

export const workerOutcome: Operation<OutcomesMessage, OutcomesAnswer> = {
  name: 'worker.outcome',
  summary: 'Tell how runs of a worker over HTTP ended, and claim the next',
  ...ofWorkers,
  rest: address('outcome'),
  schema: async () => (await import('./http-worker-schemas.ts')).outcomesInput,
  output: async () => (await import('./http-worker-output.ts')).outcomesOutput,
  async run(context, { worker, outcomes, claim }) {
    const holder = holderOf(context.actor, worker);
    checkOnce(
      outcomes.map(({ lease }) => lease),
      'outcomes',
    );
    const { held } = context.remote;
    const leases = outcomes.map(({ lease }) => readLease(holder, lease));
    const found = await held.find(holder.workerId, leases);
    const told = found.flatMap((one, index) => settlementOf(context, one, outcomes[index], leases[index], index));
    checkQueues(context.actor, [
      ...Object.keys(claim?.queues ?? {}),
      ...told.flatMap(({ spawn }) => spawn.map(({ queue }) => queue)),
    ]);
    const ownFlows = new Set(found.flatMap((one) => one?.flowId ?? []));
    const stored = await withinQueues(context, found.filter(isFound), told);
    const settlements = await spawningWithin(context, stored, ownFlows);
    const next = claim === undefined ? undefined : readClaim(holder, claim);
    const answer = await settle(context, settlements, next);
    held.forget(
      holder.workerId,
      settlements.map(({ lease }) => lease),
    );
    const { workerId } = holder;
    context.remote.foreign.note(context, { operation: 'worker.outcome', worker, workerId, leases, found });
    const results = answer.results.values();
    return {
      results: leases.map(({ taskId }, index) =>
        outcomeResult(taskId, (found[index] === null ? undefined : results.next().value) ?? { outcome: 'unknown' }),
      ),
      tasks: handOut(context, answer.claimed, claim?.token ?? ''),
    };
  },
};

export const workerDeregister: Operation<DeregisterMessage, DeregisterAnswer> = {
  name: 'worker.deregister',
  summary: 'Say that a worker over HTTP has ended',
  ...ofWorkers,
  rest: address('deregister'),
  schema: async () => (await import('./http-worker-schemas.ts')).deregisterInput,
  output: async () => (await import('./http-worker-output.ts')).deregisterOutput,
  async run({ actor, store }, { worker }) {
    const presence = readPresence(holderOf(actor, worker.id), worker, 'stopped', null);
    const { now } = await store.broker.heartbeat({ worker: presence, leaseMs: limits.leaseMs, beats: [] });
    return { now: isoTime(now) };
  },
};

/** Claims again whenever there may be something, until the time is over or whoever asked is gone. */
async function claimWithin(
  { actor, store, clock, remote, gone }: OperationContext,
  request: ClaimRequest,
  waitMs: number,
): Promise<readonly ClaimedTask[]> {
  const { broker } = store;
  if (waitMs === 0 || request.limit === 0) return broker.claim(request);
  const until = clock.elapsed() + waitMs;
  const signal = gone?.();
  const checkAccess = checkAgain(actor, clock);
  const work = remote.hints.work(request.queues.map(({ name }) => name));
  try {
    for (;;) {
      const claimed = await broker.claim(request);
      const leftMs = until - clock.elapsed();
      if (claimed.length > 0 || leftMs <= 0) return claimed;
      await work.wait(Math.min(leftMs, limits.claimLookMs), signal);
      // For nobody nothing is claimed.
      if (signal?.aborted === true || remote.hints.hasEnded) return [];
      await checkAccess();
    }
  } finally {
    work.end();
  }
}

function handOut({ remote }: OperationContext, claimed: readonly ClaimedTask[], token: string): ClaimAnswer['tasks'] {
  remote.held.remember(claimed);
  return claimed.map((one) => claimedMessage(one, token));
}

async function beatAll(context: OperationContext, message: HeartbeatMessage, beats: readonly Beat[]) {
  const { actor, store } = context;
  const { worker } = message;
  const definitions = readDefinitions(message.definitions);
  for (const [index, definition] of (definitions ?? []).entries())
    checkHiddenNames(definition, context.redactionOf(definition.policy), `definitions[${index}].`);
  checkQueues(actor, [...Object.keys(worker.queues ?? {}), ...(definitions ?? []).map(({ queue }) => queue)]);
  const holder = holderOf(actor, worker.id);
  await checkNames(context, holder, definitions ?? []);
  const presence = readPresence(holder, worker, worker.state ?? 'ready', definitions);
  return store.broker.heartbeat({ ...readHeartbeat(message, presence), beats });
}

/**
 * Throws QUEUE_FORBIDDEN for a task that a living worker publishes for a queue the key does not reach: the definition of whoever started
 * last is what others enqueue by.
 */
async function checkNames(
  { actor, store }: OperationContext,
  { workerId }: Holder,
  definitions: readonly Definition[],
): Promise<void> {
  const { queues = null } = actor;
  if (queues === null || definitions.length === 0) return;
  const names = new Set(definitions.map(({ name }) => name));
  const [{ now }, workers] = await Promise.all([store.broker.info(), store.broker.getWorkers()]);
  const others = workers.filter((worker) => worker.workerId !== workerId && isAlive(worker, now));
  const taken = others
    .flatMap((worker) => worker.definitions)
    .find(({ name, queue }) => names.has(name) && !reachesQueue(queues, queue));
  if (taken !== undefined)
    throw taskFlowError('QUEUE_FORBIDDEN', {
      queue: `the queue of the task ${taken.name}`,
      actor: actor.name,
      queues: queues.join(', '),
    });
}

async function readBeats(
  { clock, remote }: OperationContext,
  holder: Holder,
  messages: NonNullable<HeartbeatMessage['beats']>,
): Promise<readonly Beat[]> {
  checkOnce(
    messages.map(({ lease }) => lease),
    'beats',
  );
  const beats = messages.map((message) => readBeat(readLease(holder, message.lease), message, clock.now()));
  const speaking = beats.filter(
    ({ logs, checkpoints, progress }) => logs.length > 0 || checkpoints.length > 0 || progress?.note != null,
  );
  if (speaking.length === 0) return beats;
  const found = await remote.held.find(
    holder.workerId,
    speaking.map(({ lease }) => lease),
  );
  const heldOf = new Map(speaking.map((beat, index) => [beat, found[index] ?? null]));
  // All of it is checked before any of it counts.
  for (const [{ checkpoints }, held] of heldOf) if (held !== null) keepSteps(held, checkpoints);
  return beats.map((beat) => {
    const held = heldOf.get(beat) ?? null;
    return held === null ? beat : { ...beat, progress: tellable(held, beat.progress), logs: keepLogs(held, beat.logs) };
  });
}

/** Of leases that beats were refused for. */
async function noteForeign(
  context: OperationContext,
  worker: string,
  { workerId }: Holder,
  leases: readonly Lease[],
): Promise<void> {
  const { held, foreign } = context.remote;
  const found = await held.find(workerId, leases);
  foreign.note(context, { operation: 'worker.heartbeat', worker, workerId, leases, found });
}

/** None for a task that is gone. */
function settlementOf(
  { clock, remote }: OperationContext,
  held: HeldTask | null,
  message: OutcomeMessage | undefined,
  lease: Lease | undefined,
  index: number,
): readonly Settlement[] {
  if (held === null) return [];
  invariant(message !== undefined && lease !== undefined, 'Every task that was found has its lease and its outcome.');
  const ranMs = readRanMs(message.ranMs);
  const outcome = tellableOutcome(held, readOutcome(held.task.name, message));
  const verdict = decide(held.task, { outcome, ranMs }, remote.chance);
  // A run that fails brings nothing along.
  const brings = verdict.to === 'succeeded' || verdict.to === 'blocked' ? (message.spawn ?? []) : [];
  const spawn = brings.map((task, at) => readNewTask(task, `outcomes[${index}].spawn[${at}]`));
  const logs = keepLogs(held, readLogs(message.logs, clock.now()));
  return [{ lease, verdict, ranMs, progress: tellable(held, readProgress(message.progress)), logs, spawn }];
}

const isFound = (held: HeldTask | null): held is HeldTask => held !== null;

/** A run that brings a task for a queue too many has failed, as if it had enqueued that itself; `runs` are those of the settlements. */
async function withinQueues(
  { queueNames, remote }: OperationContext,
  runs: readonly HeldTask[],
  settlements: readonly Settlement[],
): Promise<readonly Settlement[]> {
  const queues = settlements.flatMap(({ spawn }) => spawn.map(({ queue }) => queue));
  const refused = await refusedQueues(queueNames, queues);
  if (refused.size === 0) return settlements;
  return settlements.map((settlement, index) => {
    const { spawn, ranMs } = settlement;
    const thrown = spawn.map(({ queue }) => refused.get(queue)).find((error) => error !== undefined);
    const task = runs[index]?.task;
    if (thrown === undefined || task === undefined) return settlement;
    const outcome = {
      kind: 'error',
      error: toTaskError(task.name, thrown),
      retryable: true,
      retryAfterMs: null,
    } as const;
    return { ...settlement, verdict: decide(task, { outcome, ranMs }, remote.chance), spawn: [] };
  });
}

/** What they bring along, as the actor's key reaches. */
async function spawningWithin(
  context: OperationContext,
  settlements: readonly Settlement[],
  ownFlows: ReadonlySet<string>,
): Promise<readonly Settlement[]> {
  const brought = settlements.flatMap(({ spawn }) => spawn);
  const tasks = [...(await withinReach(context, brought, { unknown: 'fail', ownFlows }))];
  return settlements.map((one) => ({ ...one, spawn: tasks.splice(0, one.spawn.length) }));
}

function tellable({ scrub }: HeldTask, progress: Progress | null): Progress | null {
  return scrub === null || progress === null ? progress : scrubProgress(progress, scrub);
}

function tellableOutcome({ scrub, task }: HeldTask, outcome: Outcome): Outcome {
  return scrub === null || !('error' in outcome)
    ? outcome
    : { ...outcome, error: scrubError(task.name, outcome.error, scrub) };
}

async function settle(
  { store }: OperationContext,
  settlements: readonly Settlement[],
  next: ClaimRequest | undefined,
): Promise<SettleAnswer> {
  if (settlements.length > 0) return store.broker.settle(settlements, next);
  return { results: [], claimed: next === undefined ? [] : await store.broker.claim(next) };
}
