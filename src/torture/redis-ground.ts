/** The cluster setup under torture: a Redis of its own behind a fault proxy, and its record in a database beside it. */

import { connect } from '../broker/connect.ts';
import { systemChance } from '../core/chance.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import { createRecorder } from '../engine/recorder.ts';
import type { Store } from '../history/history.ts';
import { startFaultProxy } from '../servers/fault-proxy.ts';
import { startRedis } from '../servers/redis.ts';
import type { Server } from '../servers/throw-away.ts';
import type { Ground } from './ground.ts';
import { type FaultKind, faults as facts, type Plan, type RecordKind } from './plan.ts';
import { openRecordGround } from './record-ground.ts';
import { type Admin, createAdmin, forgetScripts, isWritten } from './redis-admin.ts';
import { compare, heldKeys, recount } from './redis-remains.ts';
import { checkIndexes, showRows } from './remains.ts';
import { createStoreFaults } from './store-faults.ts';

const namespace = 'torture';
const restMs = 10_000;
/** A write that is held back for longer waits for a disk that is stuck. */
const writtenWithinMs = 10_000;

export interface RedisGroundOptions {
  readonly folder: string;
  readonly record: RecordKind;
  /** When what is answered is on disk: a killed process loses nothing in either way. */
  readonly sync: Plan['sync'];
}

export async function openRedisGround({ folder, record: kind, sync }: RedisGroundOptions): Promise<Ground> {
  const server = await startRedis(['--appendonly', 'yes', '--appendfsync', sync, '--repl-diskless-sync-delay', '0']);
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'redis' });
  const record = await openRecordGround(kind, folder, namespace);
  const store = connect(server.url, { store: record.directUrl, namespace });
  await store.broker.open();
  const { detail } = await store.broker.info();
  const driver = await record.look();
  const admin = createAdmin(server.url, namespace);
  const faults = createStoreFaults({
    proxy,
    server: { ...server, kill: () => killWritten(admin, server) },
    clock,
    request: /^FCALL /i,
    ofServer: (one, ms) => strike(admin, one, ms),
  });
  return {
    address: { broker: `redis://127.0.0.1:${proxy.port}`, record: record.url, namespace },
    store,
    durability: `${detail}, recorded in ${record.name}`,
    events: { isRecord: true },
    // Who is stopped within a write of the record holds up those who record, and nobody else.
    alone: (work) => work(),
    strike: (one, ms, roll) => ('of' in facts[one] ? record : faults).strike(one, ms, roll),
    heal: async () => void (await Promise.all([faults.heal(), record.heal()])),
    isRecorded: () => isRecorded(store),
    recordRest: () => recordRest(store),
    showRows: (judge) => showRows(driver, judge),
    heldKeys: () => heldKeys(admin, namespace),
    checkIndexes: async (judge) =>
      (await recount(server, namespace, judge)) + (await checkIndexes(driver, judge, { isRecord: true })),
    checkWhole: (judge) => compare(store, admin, namespace, judge),
    async close() {
      await faults.heal();
      await store.close();
      await record.close();
      await proxy.close();
      await server.stop();
    },
  };
}

/** A kill in the middle of a held-back write is what `everysec` does not promise, and proves nothing. */
async function killWritten(admin: Admin, server: Server): Promise<void> {
  const since = clock.elapsed();
  while (clock.elapsed() - since < writtenWithinMs && !(await admin(isWritten).catch(() => false)))
    await sleep(clock, 5);
  await server.kill();
}

async function strike(admin: Admin, kind: FaultKind, ms: number): Promise<boolean> {
  switch (kind) {
    case 'forgetScripts':
      await admin(forgetScripts);
      return true;
    case 'killConnections':
      await admin(async (redis) => {
        for (const type of ['normal', 'pubsub']) await redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      });
      return true;
    case 'stallStore':
      await admin((redis) => redis.call('CLIENT', 'PAUSE', String(Math.round(ms)), 'ALL'));
      await sleep(clock, ms);
      return true;
    case 'fillMemory':
      await admin((redis) => redis.config('SET', 'maxmemory', '1'));
      await sleep(clock, ms);
      await admin((redis) => redis.config('SET', 'maxmemory', '0'));
      return true;
    default:
      return false;
  }
}

async function isRecorded({ broker: { outbox }, recording }: Store): Promise<boolean> {
  if (outbox === undefined || recording === undefined) return true;
  const [{ seq }, { lastSeq }] = await Promise.all([recording.cursor(), outbox.state()]);
  return seq === lastSeq;
}

/** The last that a server did before it stopped is recorded by the next one. */
async function recordRest(store: Store): Promise<void> {
  const { broker, recording } = store;
  const { outbox } = broker;
  if (outbox === undefined || recording === undefined) return;
  const recorder = createRecorder({ broker, outbox, recording, clock, chance: systemChance, report: () => {} });
  recorder.start();
  for (let waitedMs = 0; waitedMs < restMs && !(await isRecorded(store)); waitedMs += 50) await sleep(clock, 50);
  await recorder.stop();
}
