/** The guard's thread: opens the store for itself and makes its rounds. Started by guard.ts, with plain data only. */

import { writeSync } from 'node:fs';
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import type { Broker } from '../broker/broker.ts';
import type { Presence } from '../core/presence.ts';
import { type Cancel, systemClock } from '../core/time.ts';
import type { StoreAddress, ThreadStore } from '../history/history.ts';
import { ClaimRing } from './claim-ring.ts';
import { createGuardWatch, readHeld, type Snapshot, type Standstill } from './guard-watch.ts';
import { readLoopStack } from './loop-stack.ts';
import { SharedFacts } from './shared-facts.ts';

export interface GuardData {
  readonly address: StoreAddress;
  readonly facts: SharedArrayBuffer;
  readonly claims: SharedArrayBuffer;
  /** Names of the definitions, as the shared facts count them. */
  readonly names: readonly string[];
  readonly presence: Presence;
  readonly leaseMs: number;
  readonly blockMaxMs: number;
}

/** What the loop says to the guard. A claim comes in this way when it did not fit into the ring. */
export type GuardOrder =
  | { readonly kind: 'hold'; readonly claim: string }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'stop' };

/** What the guard says to the loop, once that turns again. */
export interface GuardReport {
  readonly kind: 'standstill';
  readonly standstill: Standstill;
}

const data = workerData as GuardData;
const facts = new SharedFacts(data.names.length, data.facts);
const claims = new ClaimRing(data.claims);
const clock = systemClock;
let store: Promise<ThreadStore> | null = null;
let cancelNext: Cancel = () => undefined;
let looking: Promise<void> = Promise.resolve();

/** Opened on the first call, and anew after one that failed. */
async function openBroker(): Promise<Broker> {
  store ??= open();
  try {
    return (await store).broker;
  } catch (error) {
    store = null;
    throw error;
  }
}

async function open(): Promise<ThreadStore> {
  const { connect } = (await import(data.address.module)) as { connect(url: string): ThreadStore };
  const opened = connect(data.address.url);
  await opened.broker.open();
  return opened;
}

const watch = createGuardWatch({
  clock,
  leaseMs: data.leaseMs,
  blockMaxMs: data.blockMaxMs,
  presence: data.presence,
  broker: openBroker,
  claimed: () => claims.read().map(readHeld),
  turns: () => facts.turns,
  isDebugged: () => facts.isDebugged,
  inFlight: () => facts.inFlight().map((index) => data.names[index] ?? ''),
  begun: () => facts.begun().map(({ definition, ...run }) => ({ ...run, name: data.names[definition] ?? '' })),
  renewed: (sentAgoMs) => facts.renew(sentAgoMs),
  answered: (id) => facts.answer(id),
  stack: () => readLoopStack(clock),
  // Past the streams of this thread, which the loop would have to write.
  warn: (line) => void writeSync(2, `! ${line}\n`),
  onEnd: (standstill) => parentPort?.postMessage({ kind: 'standstill', standstill } satisfies GuardReport),
  kill: () => process.kill(process.pid, 'SIGKILL'),
});

function round(): void {
  looking = watch.look();
  void looking.then(() => {
    cancelNext = clock.schedule(watch.periodMs, round);
  });
}

async function stop(): Promise<void> {
  await looking;
  cancelNext();
  const opened = await store?.catch(() => null);
  await opened?.close();
  process.exit();
}

parentPort?.on('message', (order: GuardOrder) => {
  if (order.kind === 'hold') watch.hold(readHeld(order.claim));
  else if (order.kind === 'snapshot') watch.take(order.snapshot);
  else void stop();
});
// Before it is needed: a store that is locked by the very loop that stands could not be opened then.
void openBroker().catch(() => undefined);
round();
