/** The engine's services inside of a worker: servers run them; a worker does it for as long as there is none. */

import type { HeartbeatAnswer } from '../broker/broker.ts';
import type { Chance } from '../core/chance.ts';
import type { Clock } from '../core/time.ts';
import { createDepartedLook } from '../engine/departed.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import type { Report } from '../engine/service.ts';
import type { WorkerOptions } from './options.ts';

export interface Services {
  /** Begins at once when the worker runs them whatever the servers do. */
  start(): void;
  /** What a heartbeat told of servers: starts or stops what is not needed twice. */
  follow(answer: HeartbeatAnswer): void;
  readonly isRunning: boolean;
  /** Resolves when nothing of it touches the store any more; it does not begin again. */
  stop(): Promise<void>;
}

export interface ServicesOptions extends Pick<WorkerOptions, 'store' | 'services' | 'recoveryMs'> {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly report: Report;
  /** A server was found dead: the worker should hear at once whether another one lives. */
  readonly onDeparted: () => void;
}

export function createServices(options: ServicesOptions): Services {
  const { store, clock, chance, report, recoveryMs } = options;
  const lookForDeparted = createDepartedLook({ broker: store.broker, clock });
  let engine: Engine | null = null;
  let ending: Promise<unknown> = Promise.resolve();
  let stopped = false;

  function startEngine(): void {
    engine = createEngine({ store, clock, chance, report, ...(recoveryMs === undefined ? {} : { recoveryMs }) });
    engine.start();
  }

  function stopEngine(): void {
    if (engine === null) return;
    ending = Promise.all([ending, engine.stop()]);
    engine = null;
  }

  /** The store takes a killed server for a living one until it was silent for long; a process of its machine knows better. */
  async function askForServers(): Promise<void> {
    try {
      if (await lookForDeparted()) options.onDeparted();
    } catch {
      // The next heartbeat asks again, and the store forgets the server by itself.
    }
  }

  return {
    start() {
      if (options.services === 'always') startEngine();
    },
    follow({ noServer }) {
      if ((options.services ?? 'auto') !== 'auto' || stopped) return;
      if (noServer && engine === null) startEngine();
      if (noServer) return;
      stopEngine();
      // Waited for by a stop, after which nothing may touch the store.
      ending = Promise.all([ending, askForServers()]);
    },
    get isRunning() {
      return engine !== null;
    },
    async stop() {
      stopped = true;
      stopEngine();
      await ending;
    },
  };
}
