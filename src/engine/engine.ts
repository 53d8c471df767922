/** The engine: every service a setup needs to move by itself, over one store. Any number of engines may run at once. */

import type { Signal, Unsubscribe } from '../broker/broker.ts';
import { internalQueue } from '../core/bulk.ts';
import type { Chance } from '../core/chance.ts';
import { systemChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import type { Gap } from '../history/recording.ts';
import { isGone, type ProcessPlace, readPlace } from './host.ts';
import { createOperator } from './operator.ts';
import { createPromoter } from './promoter.ts';
import { createAuditPruner, createPruner, createRecordPruner } from './pruner.ts';
import { createReaper } from './reaper.ts';
import { createRecorder } from './recorder.ts';
import { createRelayService } from './relay-service.ts';
import { createSampler } from './sampler.ts';
import { createScheduler } from './scheduler.ts';
import { createService, type Report, type Service } from './service.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** Told when a service fails and when it is well again; by default nobody is. */
  readonly report?: Report;
  /** Told when the live store was wiped, or went back, and what the record knew was brought back. */
  readonly onGap?: (gap: Gap) => void;
  /** What a pure server publishes of itself. Left out inside of a worker, which publishes itself. */
  readonly presence?: Pick<Presence, 'workerId' | 'name' | 'version'>;
  /** Whether a process of this machine has ended for certain; by default its pid is looked up. */
  readonly isGone?: (place: ProcessPlace) => boolean;
  /** How long the store must have been well before silent workers count as dead: their lease; `limits.leaseMs` when left out. */
  readonly recoveryMs?: number;
  /** How long rows of the audit are kept; without it none is forgotten. */
  readonly auditKeepMs?: number;
}

type Loop = Required<Pick<EngineOptions, 'clock' | 'chance' | 'report'>>;

/** Started and stopped as a whole. Starting twice is one start, stopping twice one stop; it may be started again. */
export interface Engine {
  start(): void;
  /** Resolves when no service touches the store any more. The store stays open. */
  stop(): Promise<void>;
}

export function createEngine(options: EngineOptions): Engine {
  const {
    store,
    clock = systemClock,
    chance = systemChance,
    report = () => undefined,
    onGap = () => undefined,
  } = options;
  const loop = { clock, chance, report };
  const here = readPlace();
  const promoter = createPromoter(store.broker, loop);
  const reaper = createReaper({
    broker: store.broker,
    isGone: options.isGone ?? ((place) => isGone(place, here)),
    ...(options.recoveryMs === undefined ? {} : { recoveryMs: options.recoveryMs }),
    ...loop,
  });
  const services: Service[] = [
    promoter,
    reaper,
    createPruner(store.broker, loop),
    createSampler(store, loop),
    createScheduler(store.broker, loop),
    ...(store.relay === undefined ? [] : [createRelayService(store.relay, loop)]),
    ...recordersOf(store, loop, onGap),
    ...auditPruners(store, options.auditKeepMs, loop),
  ];
  const { presence } = options;
  const self = presence === undefined ? null : serverPresence(presence, here);
  const operator = self === null ? null : createOperator({ store, presence: () => self('ready'), ...loop });
  if (self !== null) services.push(createPresence(store, loop, () => self('ready')));
  if (operator !== null) services.push(operator);

  let unsubscribe: Unsubscribe | null = null;

  async function stop(): Promise<void> {
    unsubscribe?.();
    unsubscribe = null;
    await Promise.all(services.map((service) => service.stop()));
    // The store forgets a silent server by itself; this only makes it sooner.
    if (self !== null)
      await store.broker
        .heartbeat({ worker: self('stopped'), leaseMs: limits.leaseMs, beats: [] })
        .catch(() => undefined);
  }

  return {
    start() {
      unsubscribe ??= store.broker.subscribe((signal) => {
        if (signal.kind === 'due') promoter.dueIn(signal.inMs);
        if (signal.kind === 'overdue') reaper.wake();
        if (operator !== null) tellOperator(operator, signal);
      });
      for (const service of services) service.start();
    },
    stop,
  };
}

/** Most work is not its own: where nobody says whose it is, one look is enough for much of it. */
function tellOperator(operator: Service, signal: Signal): void {
  if (signal.kind === 'cancel') operator.wake();
  if (signal.kind !== 'work') return;
  if (signal.queues === null) operator.wakeIn(limits.operatorHintMs);
  else if (signal.queues.includes(internalQueue)) operator.wake();
}

/** What a server says of itself: that it runs the services, and claims nothing for people. */
function serverPresence(
  presence: Pick<Presence, 'workerId' | 'name' | 'version'>,
  here: ProcessPlace,
): (state: Presence['state']) => Presence {
  return (state) => ({
    ...presence,
    ...here,
    queues: {},
    concurrency: 0,
    running: 0,
    state,
    services: true,
    server: true,
    taskNames: [],
    definitions: null,
  });
}

/** Only who knows how long rows are to be kept forgets any. */
function auditPruners({ access }: Store, keepMs: number | undefined, loop: Loop): readonly Service[] {
  return access === undefined || keepMs === undefined ? [] : [createAuditPruner(access.audit, keepMs, loop)];
}

/** What feeds the record, and what lets go of it what is past its time. */
function recordersOf({ broker, recording }: Store, loop: Loop, onGap: (gap: Gap) => void): readonly Service[] {
  const { outbox } = broker;
  if (recording === undefined || outbox === undefined) return [];
  return [createRecorder({ broker, outbox, recording, onGap, ...loop }), createRecordPruner(recording, loop)];
}

function createPresence(store: Store, loop: Loop, presence: () => Presence): Service {
  return createService({
    name: 'presence',
    periodMs: limits.presenceMs / 3,
    ...loop,
    async tick() {
      await store.broker.heartbeat({ worker: presence(), leaseMs: limits.leaseMs, beats: [] });
      return 'done';
    },
  });
}
