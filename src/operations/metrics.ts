/** The operation behind `/metrics`: the numbers of the whole, of each queue and of the last minutes, in at most six questions. */

import { isWithoutRecord } from '../core/errors.ts';
import { cumulate, type Latencies, latencyBoundsMs } from '../core/latency.ts';
import { limits } from '../core/limits.ts';
import { within } from '../core/patience.ts';
import { isAlive, type WorkerRecord } from '../core/presence.ts';
import type { RelayStatus } from '../core/relay.ts';
import type { TaskView } from '../core/states.ts';
import { isoTime } from '../core/time.ts';
import type { EndedMinute } from '../history/history.ts';
import type { Operation, OperationContext } from './operation.ts';
import { queueDocuments } from './queue.ts';
import type { MetricsInput } from './schemas.ts';

/** What waits and runs in one queue. */
export interface QueueFigures {
  readonly name: string;
  readonly paused: boolean;
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  /** How long the oldest queued task has been due, in milliseconds; `null` when none waits. */
  readonly oldestWaitMs: number | null;
  readonly workers: number;
  readonly slots: number;
}

/** What ended in one minute in one queue. Sums, so that they can be added. */
export interface EndedFigures {
  /** Start of the minute. */
  readonly at: string;
  readonly queue: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that ended in another attempt. */
  readonly retried: number;
  /** Over the finished: from due to claim, and of the last run. */
  readonly waitMs: number;
  readonly runMs: number;
  /** Of those that ended while they ran: how many waited and ran at most as long as each of `boundsMs`, and last how many there are. Empty where that is not kept. */
  readonly waited: readonly number[];
  readonly ran: readonly number[];
}

export interface MetricsDocument {
  /** The store's clock. */
  readonly now: string;
  readonly queues: readonly QueueFigures[];
  /** The last minutes, the running one too; `null` while the record cannot be reached. */
  readonly ended: readonly EndedFigures[] | null;
  /**
   * Start of the first minute that `ended` is of, and of that and all later ones it is whole. It is later than was asked for where so many queues had an
   * end that not all are told; `null` while the record cannot be reached.
   */
  readonly endedFrom: string | null;
  /** What `waited` and `ran` are counted by, in milliseconds. */
  readonly boundsMs: readonly number[];
  /** Processes that claim, by state. */
  readonly workers: Readonly<Record<'ready' | 'draining' | 'silent', number>>;
  /** Living processes that claim nothing and run the services. */
  readonly servers: number;
  readonly slots: number;
  readonly running: number;
  /** Living workers whose event loop stands, that were given nothing lately, and the worst lag of any. */
  readonly blocked: number;
  readonly stalled: number;
  readonly loopLagMs: number;
  /** How far the record is behind the live store. */
  readonly lagMs: number;
  /** `null` where nothing is relayed, and while the record cannot be reached. */
  readonly relay: RelayStatus | null;
}

/** Names are those of queues only: whoever asks once a second must not be given ten thousand ids. */
export const systemMetrics: Operation<MetricsInput, MetricsDocument> = {
  name: 'system.metrics',
  summary: 'Give the numbers of queues, workers and the last minutes',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/metrics' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).metricsInput,
  output: async () => (await import('./metrics-output.ts')).metricsOutput,
  async run({ store, clock }, { minutes = 5 }) {
    const { broker } = store;
    const [info, records, workers, lagMs] = await Promise.all([
      broker.info(),
      broker.getQueues(),
      broker.getWorkers(),
      store.history.lagMs(),
    ]);
    const beside = await recorded({ store, clock }, info.now, minutes);
    const living = workers.filter((worker) => isAlive(worker, info.now) && worker.state !== 'stopped');
    const claiming = living.filter(({ concurrency }) => concurrency > 0);
    return {
      now: isoTime(info.now),
      queues: queueDocuments(records, workers, info.now).map(({ state, ...queue }) => ({
        name: queue.name,
        paused: state === 'paused',
        counts: queue.counts,
        oldestWaitMs: queue.oldestWaitMs,
        workers: queue.workers,
        slots: queue.slots,
      })),
      workers: {
        ready: claiming.filter(({ state }) => state === 'ready').length,
        draining: claiming.filter(({ state }) => state === 'draining').length,
        silent: workers.filter((worker) => isSilent(worker, info.now)).length,
      },
      servers: living.filter(({ server }) => server).length,
      slots: claiming.reduce((sum, worker) => sum + worker.concurrency, 0),
      running: claiming.reduce((sum, worker) => sum + worker.running, 0),
      blocked: claiming.filter(({ blocked }) => blocked !== undefined).length,
      stalled: claiming.filter(({ stall }) => stall !== undefined).length,
      loopLagMs: Math.max(0, ...claiming.map(({ loopLagMs = 0 }) => loopLagMs)),
      lagMs,
      boundsMs: latencyBoundsMs,
      ...beside,
    };
  },
};

function isSilent(worker: WorkerRecord, now: number): boolean {
  return worker.state !== 'stopped' && worker.concurrency > 0 && !isAlive(worker, now);
}

/** What a record beside the live store tells, which may be away while tasks run. */
async function recorded(
  { store, clock }: Pick<OperationContext, 'store' | 'clock'>,
  now: number,
  minutes: number,
): Promise<Pick<MetricsDocument, 'ended' | 'endedFrom' | 'relay'>> {
  const to = Math.floor(now / 60_000) * 60_000 + 60_000;
  const range = { from: to - minutes * 60_000, to };
  const asked = Promise.all([store.history.ended(range), store.relay?.status() ?? Promise.resolve(null)]);
  try {
    const [told, relay] = await (store.recording === undefined ? asked : within(clock, limits.recordAskMs, asked));
    return { ended: told.minutes.map(endedFigures), endedFrom: isoTime(told.from), relay };
  } catch (error) {
    if (store.recording === undefined || !isWithoutRecord(error)) throw error;
    return { ended: null, endedFrom: null, relay: null };
  }
}

function endedFigures({ at, waits, runs, ...sums }: EndedMinute): EndedFigures {
  return { at: isoTime(at), ...sums, waited: cumulated(waits), ran: cumulated(runs) };
}

/** What is not kept is not told as nothing. */
function cumulated(counts: Latencies): readonly number[] {
  return counts.length === 0 ? [] : cumulate(counts);
}
