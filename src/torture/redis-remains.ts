/** What a run has left in Redis and in the record beside it: whether both say the same, and all that is kept follows from the tasks. */

import { unpack } from '../broker/redis/packed.ts';
import { recountRedis } from '../broker/redis/recount.ts';
import { createRedisBroker } from '../broker/redis/redis-broker.ts';
import { addressOf } from '../broker/redis/way.ts';
import type { Judge } from '../checker/judge.ts';
import { systemChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import type { Ground } from './ground.ts';
import { type Admin, createAdmin } from './redis-admin.ts';

const replicaWithinMs = 5_000;

export function heldKeys(admin: Admin, namespace: string): ReturnType<Ground['heldKeys']> {
  return admin(async (redis) => {
    const kept = await redis.hgetallBuffer(`{${namespace}}:keys`);
    return Object.entries(kept).flatMap(([key, packed]) => {
      const [[taskId, until] = []] = unpack(packed, 1).values as unknown as [[string, number | false]];
      return taskId === undefined || (until !== false && until !== undefined) ? [] : [{ key, taskId }];
    });
  });
}

/**
 * Counts again what a moment of the store looks like, without holding it up: a replica that is cut off has all of the scripts that were done
 * by then, and of none a part. Answers how many rows were looked at.
 */
export async function recount(server: RedisServer, namespace: string, judge: Judge): Promise<number> {
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(server.port), '--repl-diskless-load', 'swapdb']);
  try {
    const admin = createAdmin(replica.url, namespace);
    return await admin(async (redis) => {
      for (let waitedMs = 0; !/master_link_status:up/.test(await redis.info('replication')); waitedMs += 20) {
        if (waitedMs > replicaWithinMs) return 0;
        await sleep(clock, 20);
      }
      await redis.call('REPLICAOF', 'NO', 'ONE');
      const broker = createRedisBroker({
        address: addressOf({ url: replica.url }),
        namespace,
        clock,
        chance: systemChance,
      });
      await broker.open();
      try {
        for (const sentence of await recountRedis(redis, `{${namespace}}:`, broker)) judge.tell('S21', null, sentence);
      } finally {
        await broker.close();
      }
      return redis.hlen(`{${namespace}}:tasks`);
    });
  } finally {
    await replica.stop();
  }
}

/** S18: the record says of each task that the live store still has what the live store says. */
export async function compare(store: Store, admin: Admin, namespace: string, judge: Judge): Promise<void> {
  const ids = await admin((redis) => redis.hkeys(`{${namespace}}:tasks`));
  const { now } = await store.broker.info();
  for (let from = 0; from < ids.length; from += limits.batchMax) {
    const part = ids.slice(from, from + limits.batchMax);
    const live = await store.broker.getTasks(part);
    const recorded = (await store.recording?.tasks(part)) ?? [];
    for (const [index, task] of live.entries()) {
      const row = recorded[index] ?? null;
      // Each of the two forgets a task at its time by itself.
      if (task === null || (task.pruneAt !== null && task.pruneAt <= now)) continue;
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
