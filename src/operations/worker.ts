/** Operations on workers. */

import type { SentCommand } from '../core/commands.ts';
import { isAlive, type LoopBlock, type StallMark, type WorkerRecord } from '../core/presence.ts';
import { isoTime } from '../core/time.ts';
import type { Operation } from './operation.ts';
import type { Nothing } from './schemas.ts';

/** A worker or server process as every surface shows it. */
export interface WorkerDocument {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** `silent`: not heard of for so long that its tasks will be given to others. */
  readonly state: 'ready' | 'draining' | 'stopped' | 'silent';
  /** Whether it is a server, and whether it runs the engine's services. */
  readonly server: boolean;
  readonly services: boolean;
  /** Slots by queue. */
  readonly queues: Readonly<Record<string, number>>;
  readonly concurrency: number;
  readonly running: number;
  /** Names of the tasks it can run. */
  readonly tasks: readonly string[];
  readonly startedAt: string;
  readonly beatAt: string;
  /** How long ago the last heartbeat was. */
  readonly silentMs: number;
  /** How late its event loop turned lately, at worst; `null` when it does not say. */
  readonly loopLagMs: number | null;
  /** Given while its event loop does not turn, with the handlers that may be the cause. */
  readonly blocked: LoopBlock | null;
  /** Given for a while after its free slots were given nothing although tasks waited; it has made its connections anew. */
  readonly stall: StallMark | null;
  /** What it was told and has not heard yet. */
  readonly commands: readonly SentCommand[];
}

export interface WorkerListDocument {
  readonly workers: readonly WorkerDocument[];
}

export const workerList: Operation<Nothing, WorkerListDocument> = {
  name: 'worker.list',
  summary: 'List the workers and servers with their slots',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/workers' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./worker-output.ts')).workerListOutput,
  async run({ store }) {
    const [info, records] = await Promise.all([store.broker.info(), store.broker.getWorkers()]);
    const workers = records.map((record) => workerDocument(record, info.now));
    return { workers: workers.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  },
};

/** How a worker is shown at `now`, in ms of the store's clock. */
export function workerDocument(record: WorkerRecord, now: number): WorkerDocument {
  const { name, host, pid, version, server, services, queues, concurrency, running } = record;
  const state = record.state === 'stopped' || isAlive(record, now) ? record.state : 'silent';
  return {
    id: record.workerId,
    name,
    host,
    pid,
    version,
    state,
    server,
    services,
    queues,
    concurrency,
    running,
    tasks: record.taskNames,
    startedAt: isoTime(record.startedAt),
    beatAt: isoTime(record.beatAt),
    silentMs: Math.max(0, now - record.beatAt),
    loopLagMs: record.loopLagMs ?? null,
    blocked: record.blocked ?? null,
    stall: record.stall ?? null,
    commands: record.commands,
  };
}
