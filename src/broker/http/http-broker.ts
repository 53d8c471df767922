/**
 * The store as a worker has it that reaches a server over HTTP alone: what its runtime needs, and a clear word for the rest. The server
 * decides what an outcome means; see docs/adr/0050-workers-over-http.md.
 */

import { type Chance, systemChance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { utf8Length } from '../../core/json.ts';
import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Settlement } from '../../core/task.ts';
import { type Clock, sleep } from '../../core/time.ts';
import type {
  ClaimAnswer,
  ClaimedMessage,
  HeartbeatReply,
  ListenAnswer,
  OutcomesAnswer,
} from '../../core/worker-protocol.ts';
import type { Beat, Broker, BrokerInfo, ClaimRequest, HeartbeatAnswer, HeartbeatRequest } from '../broker.ts';
import { createSubscribers } from '../subscribers.ts';
import { type Calls, createCalls, readServerUrl } from './calls.ts';
import {
  beatMessage,
  claimMessage,
  definitionMessage,
  outcomeMessage,
  readClaimed,
  settleResult,
  workerMessage,
} from './messages.ts';
import { createHandlerCalls } from './tasks.ts';
import { createWaits } from './waits.ts';

export interface HttpBrokerOptions {
  /** `https://tasks.example.com`, or below a path of it. */
  readonly url: string;
  readonly clock: Clock;
  readonly chance?: Chance;
}

/** Bytes of reports in one message, by an estimate that is too high rather than too low. */
const reportBytesMax = limits.workerBodyBytesMax * 0.75;
/** What a report says beside what its task made. */
const reportBytes = 500;

/** Throws STORE_URL_INVALID. */
export function createHttpBroker({ url, clock, chance = systemChance }: HttpBrokerOptions): Broker {
  const server = readServerUrl(url);
  const calls = createCalls(server, clock);
  const waits = createWaits({ server, calls, clock, chance });
  const subscribers = createSubscribers();
  const standing = createStanding(calls, (token, claimed) => subscribers.emit({ kind: 'handed', token, claimed }));
  const ear = createEar(calls, clock, (news) => {
    if (news.cancel.length > 0) subscribers.emit({ kind: 'cancel', taskIds: news.cancel });
    if (news.commands) subscribers.emit({ kind: 'command', workerIds: null });
  });
  let now = clock.now();

  async function claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    standing.replace();
    const message = { worker: request.workerId, ...claimMessage(request) };
    const { tasks } = await calls.post<ClaimAnswer>('worker/claim', message);
    return conclude(request, tasks);
  }

  function conclude(request: ClaimRequest, tasks: readonly ClaimedMessage[]): readonly ClaimedTask[] {
    if (tasks.length === 0 && request.standMs !== undefined && request.limit > 0)
      standing.begin(request, request.standMs);
    return tasks.map((task) => readClaimed(task, request.workerId));
  }

  async function settle(settlements: readonly Settlement[], claimNext?: ClaimRequest) {
    if (claimNext !== undefined) standing.replace();
    const results: ReturnType<typeof settleResult>[] = [];
    let claimed: readonly ClaimedTask[] = [];
    const parts = inParts(settlements, bytesOfSettlement);
    for (const [index, part] of parts.entries()) {
      const next = index === parts.length - 1 ? claimNext : undefined;
      const answer = await calls.post<OutcomesAnswer>('worker/outcome', {
        worker: workerId ?? claimNext?.workerId ?? '',
        outcomes: part.map(outcomeMessage),
        ...(next !== undefined && { claim: claimMessage(next) }),
      });
      results.push(...answer.results.map(settleResult));
      if (next !== undefined) claimed = conclude(next, answer.tasks);
    }
    return { results, claimed };
  }

  /** The one worker that this broker is for. */
  let workerId: string | null = null;

  async function heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    const { worker, leaseMs, heard, stack } = request;
    const self = workerMessage(worker);
    if (worker.state === 'stopped') {
      ear.stop();
      await calls.post('worker/deregister', { worker: self });
      return { now, beats: [], commands: [], noServer: false };
    }
    const more = {
      ...(worker.definitions !== null && { definitions: worker.definitions.map(definitionMessage) }),
      ...(heard !== undefined && { heard }),
      ...(stack !== undefined && { stack }),
    };
    const beats: HeartbeatReply['answers'][number][] = [];
    let commands: HeartbeatReply['commands'] = [];
    for (const [index, part] of inParts(request.beats, bytesOfBeat).entries()) {
      const message = { worker: self, leaseMs, beats: part.map(beatMessage), ...(index === 0 ? more : {}) };
      const answer = await calls.post<HeartbeatReply>('worker/heartbeat', message);
      beats.push(...answer.answers);
      commands = answer.commands;
      now = Date.parse(answer.now);
    }
    if (!subscribers.isEmpty) ear.listen(worker.workerId);
    // A server answered.
    return { now, beats, commands, noServer: false };
  }

  return {
    ...refused,
    ...createHandlerCalls({ calls, clock, workerId: () => workerId ?? 'enqueues-alone' }),
    finished: waits.finished,
    keepsClaims: true,
    async open() {
      // Whether there is a server that lets this worker in; nothing is claimed.
      await calls.post('worker/claim', { worker: 'opening', token: 'nothing-wanted', queues: {}, limit: 0 });
    },
    async close() {
      standing.replace();
      ear.stop();
      waits.close();
      calls.close();
      subscribers.clear();
    },
    info: async () => infoOf(now),
    subscribe: subscribers.subscribe,
    claim(request) {
      workerId = request.workerId;
      return claim(request);
    },
    heartbeat(request) {
      workerId = request.worker.workerId;
      return heartbeat(request);
    },
    settle,
  };
}

function infoOf(now: number): BrokerInfo {
  return { kind: 'http', durability: 'unverified', detail: 'over HTTP', incarnation: '', protocol: 1, now };
}

/** Claims that found nothing, and wait at the server for what comes. */
function createStanding(calls: Calls, handed: (token: string, claimed: readonly ClaimedTask[]) => void) {
  let current: AbortController | null = null;
  /** The next claim takes its place: under its token it is told what this one was given. */
  function replace(): void {
    current?.abort();
    current = null;
  }

  async function wait(request: ClaimRequest, waitMs: number, own: AbortController): Promise<void> {
    const message = { worker: request.workerId, ...claimMessage(request), waitMs };
    const { tasks } = await calls.post<ClaimAnswer>('worker/claim', message, { waitMs, signal: own.signal });
    if (current !== own) return;
    current = null;
    if (tasks.length > 0)
      handed(
        request.token,
        tasks.map((task) => readClaimed(task, request.workerId)),
      );
  }

  return {
    replace,
    begin(request: ClaimRequest, waitMs: number): void {
      replace();
      const own = new AbortController();
      current = own;
      // Whatever became of it: the next claim under the same token finds out.
      void wait(request, Math.min(waitMs, limits.claimWaitMaxMs), own).catch(() => undefined);
    },
  };
}

/** Hears that a run is to be cancelled, or that there are commands: hints, behind which the heartbeat comes anyway. */
function createEar(calls: Calls, clock: Clock, tell: (news: ListenAnswer) => void) {
  let listening: AbortController | null = null;

  async function hear(worker: string, own: AbortController): Promise<void> {
    const waitMs = limits.claimWaitMaxMs;
    while (!own.signal.aborted) {
      try {
        tell(await calls.post<ListenAnswer>('worker/listen', { worker, waitMs }, { waitMs, signal: own.signal }));
      } catch {
        await sleep(clock, limits.pollMs, own.signal).catch(() => undefined);
      }
    }
  }

  return {
    listen(worker: string): void {
      if (listening !== null) return;
      listening = new AbortController();
      void hear(worker, listening);
    },
    stop(): void {
      listening?.abort();
      listening = null;
    },
  };
}

/** In their order, in parts that fit into a message; one part at least. */
function inParts<Item>(items: readonly Item[], bytesOf: (item: Item) => number): readonly (readonly Item[])[] {
  const parts: Item[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (bytes > 0 && bytes + size > reportBytesMax) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(item);
    bytes += size;
  }
  return parts;
}

function bytesOfLogs(logs: Beat['logs']): number {
  return logs.reduce((sum, { message, fields }) => sum + 2 * utf8Length(message) + utf8Length(fields ?? '') + 100, 0);
}

function bytesOfBeat({ logs, checkpoints }: Beat): number {
  const steps = checkpoints.reduce((sum, { value }) => sum + utf8Length(value ?? '') + reportBytes, 0);
  return reportBytes + bytesOfLogs(logs) + steps;
}

function bytesOfSettlement({ outcome, logs, spawn }: Settlement): number {
  const result = outcome?.kind === 'done' ? utf8Length(outcome.result ?? '') : 4 * limits.errorMessageMax;
  const spawned = spawn.reduce((sum, { payload }) => sum + utf8Length(payload) + 2 * reportBytes, 0);
  return reportBytes + result + bytesOfLogs(logs) + spawned;
}

const refuse = (what: string, hint: string) => async (): Promise<never> => {
  throw taskFlowError('NOT_SUPPORTED', { what: `${what} by a worker over HTTP` }, { hint });
};
const atTheStore = refuse('This', 'Ask the server for it, or start the worker at the store itself: --broker.');

/** What no worker needs while it runs tasks, or what needs the store itself. */
const refused = {
  getTasks: refuse(
    'Reading tasks in whole',
    'A handle tells how a task stands, and waits for its result; createApiClient has the rest.',
  ),
  restore: atTheStore,
  promote: atTheStore,
  claimOverdue: atTheStore,
  prune: atTheStore,
  cancel: atTheStore,
  retry: atTheStore,
  remove: atTheStore,
  update: atTheStore,
  configure: atTheStore,
  control: atTheStore,
  getQueues: atTheStore,
  peek: atTheStore,
  getGroups: atTheStore,
  getLimits: atTheStore,
  getWorkers: atTheStore,
  inspect: atTheStore,
  schedules: {
    put: refuse('Storing schedules', 'Start a worker with these files at the store itself: --broker.'),
    restore: atTheStore,
    delete: atTheStore,
    pause: atTheStore,
    fire: atTheStore,
    due: atTheStore,
    get: atTheStore,
    list: atTheStore,
  },
} as const;
