/** The cluster setup under torture: a Redis of its own behind a fault proxy, and its record in an SQLite file beside it. */

import { join } from 'node:path';
import { connect } from '../broker/connect.ts';
import { unpack } from '../broker/redis/packed.ts';
import { addressOf, createWay } from '../broker/redis/way.ts';
import { createSqliteDriver } from '../broker/sqlite/driver.ts';
import type { Judge } from '../checker/judge.ts';
import { systemChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import { createRecorder } from '../engine/recorder.ts';
import type { Store } from '../history/history.ts';
import { startFaultProxy } from '../servers/fault-proxy.ts';
import { startRedis } from '../servers/redis.ts';
import type { Ground } from './ground.ts';
import type { FaultKind } from './plan.ts';
import { showRows } from './remains.ts';
import { createStoreFaults } from './store-faults.ts';

const namespace = 'torture';
const restMs = 10_000;

/** What is answered is on disk, so that nothing answered may be lost when the server is killed. */
export async function openRedisGround(folder: string): Promise<Ground> {
  const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'redis' });
  const file = join(folder, 'record.db');
  const record = `sqlite:${file}`;
  const store = connect(server.url, { store: record, namespace });
  await store.broker.open();
  const { detail } = await store.broker.info();
  const driver = createSqliteDriver({ file, now: clock.now, clock, chance: systemChance });
  await driver.open();
  const admin = createAdmin(server.url);
  const faults = createStoreFaults({
    proxy,
    server,
    clock,
    request: /^EVALSHA /i,
    ofServer: (kind, ms) => strike(admin, kind, ms),
  });
  return {
    address: { broker: `redis://127.0.0.1:${proxy.port}`, record, namespace },
    store,
    durability: detail,
    events: { isRecord: true },
    // Who is stopped within a write of the record holds up those who record, and nobody else.
    alone: (work) => work(),
    strike: faults.strike,
    heal: faults.heal,
    isRecorded: () => isRecorded(store),
    recordRest: () => recordRest(store),
    showRows: (judge) => showRows(driver, judge),
    heldKeys: () =>
      admin(async (redis) => {
        const kept = await redis.hgetallBuffer(`{${namespace}}:keys`);
        return Object.entries(kept).flatMap(([key, packed]) => {
          const [[taskId, until] = []] = unpack(packed, 1).values as unknown as [[string, number | false]];
          return taskId === undefined || (until !== false && until !== undefined) ? [] : [{ key, taskId }];
        });
      }),
    // Not yet: a look at one moment of Redis while it is in use.
    checkIndexes: async () => 0,
    checkWhole: (judge) => compare(store, admin, judge),
    async close() {
      await faults.heal();
      driver.close();
      await store.close();
      await proxy.close();
      await server.stop();
    },
  };
}

type Redis = ReturnType<ReturnType<typeof createWay>['create']>;
type Admin = <Answer>(work: (redis: Redis) => Promise<Answer>) => Promise<Answer>;

/** A connection for each time: the server may be killed between two. */
function createAdmin(url: string): Admin {
  const way = createWay(addressOf({ url }), namespace);
  return async (work) => {
    const redis = way.create();
    redis.on('error', () => {});
    try {
      await redis.connect();
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };
}

async function strike(admin: Admin, kind: FaultKind, ms: number): Promise<boolean> {
  switch (kind) {
    case 'forgetScripts':
      await admin((redis) => redis.script('FLUSH'));
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

/** S18: the record says of each task that the live store still has what the live store says. */
async function compare(store: Store, admin: Admin, judge: Judge): Promise<void> {
  const ids = await admin((redis) => redis.hkeys(`{${namespace}}:tasks`));
  for (let from = 0; from < ids.length; from += limits.batchMax) {
    const part = ids.slice(from, from + limits.batchMax);
    const live = await store.broker.getTasks(part);
    const recorded = (await store.recording?.tasks(part)) ?? [];
    for (const [index, task] of live.entries()) {
      const row = recorded[index] ?? null;
      if (task === null) continue;
      if (row === null) judge.tell('S18', task.id, 'it is not in the record');
      else if (row.state !== task.state || row.version !== task.version)
        judge.tell(
          'S18',
          task.id,
          `the record says ${row.state} ${row.version}, the live store ${task.state} ${task.version}`,
        );
    }
  }
}
