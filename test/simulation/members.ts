/** The processes of a simulated setup: real workers and real engines, each with clocks and a connection of its own. */

import type { Broker } from '../../src/broker/broker.ts';
import type { Effect } from '../../src/checker/evidence.ts';
import type { Chance } from '../../src/core/chance.ts';
import { createToken } from '../../src/core/chance.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { createHandlers, taskNames } from './handlers.ts';
import { queueNames } from './requests.ts';
import type { SimProcess } from './sim-process.ts';
import { pick, type Swarm, whole } from './swarm.ts';

/** A place for one process after the other: what was killed is started there again. */
export interface Seat {
  readonly kind: 'server' | 'worker';
  readonly name: string;
  readonly host: string;
  /** What a worker serves; a server takes no notice. */
  readonly queues: Readonly<Record<string, number>> | readonly string[];
  readonly concurrency: number;
  readonly names: readonly string[];
  member: Member | null;
}

/** What runs in a process. */
export interface Member {
  readonly process: SimProcess;
  /** Ends it in order. Resolves when it touches the store no more. */
  stop(): Promise<void>;
  stopped: boolean;
}

export interface MemberOptions {
  readonly process: SimProcess;
  readonly broker: Broker;
  readonly swarm: Swarm;
  readonly isGone: (place: { readonly host: string; readonly pid: number }) => boolean;
  /** Marks another request. */
  readonly nextNumber: () => number;
  readonly note: (effect: Omit<Effect, 'at' | 'pid'>) => void;
}

/** A seat with what its worker serves drawn by chance; `full` serves everything there is. */
export function drawSeat(chance: Chance, kind: Seat['kind'], index: number, full = false): Seat {
  const slots = whole(chance, 1, 6);
  const served: readonly Seat['queues'][] = [
    [...queueNames],
    { default: slots, email: whole(chance, 1, 3) },
    [queueNames[0]],
  ];
  return {
    kind,
    name: `${kind}${index}`,
    host: pick(chance, ['ada', 'bob']),
    queues: full ? [...queueNames] : pick(chance, served),
    concurrency: slots,
    names: full ? taskNames : taskNames.slice(0, whole(chance, 1, 2)),
    member: null,
  };
}

export function startMember(seat: Seat, options: MemberOptions): Member {
  const { process, broker, swarm } = options;
  const { clock, chance } = process;
  // The record of minutes is no part of what is judged; it only has to be there.
  const history = { sample: async () => true };
  // One half of the workers goes about its calls as where they may overlap.
  const isParallel = seat.host === 'bob' || undefined;
  const store = { broker, history, isParallel, close: async () => {} } as unknown as Store;
  if (seat.kind === 'server') {
    const presence = { workerId: createToken(chance), name: seat.name, version: '1' };
    const engine = createEngine({ store, clock, chance, presence, isGone: options.isGone, recoveryMs: swarm.leaseMs });
    engine.start();
    return { process, stop: () => engine.stop(), stopped: false };
  }
  const worker = createWorker({
    store,
    definitions: createHandlers(process, seat.names, options.nextNumber, options.note),
    queues: seat.queues,
    concurrency: seat.concurrency,
    name: seat.name,
    leaseMs: swarm.leaseMs,
    recoveryMs: swarm.leaseMs,
    drainMs: 3_000,
    clock,
    chance,
  });
  worker.start();
  return { process, stop: () => worker.stop(), stopped: false };
}
