/** Connections to the Redis under torture that no fault lies on. */

import { addressOf, createWay } from '../broker/redis/way.ts';

export type Redis = ReturnType<ReturnType<typeof createWay>['create']>;
export type Admin = <Answer>(work: (redis: Redis) => Promise<Answer>) => Promise<Answer>;

/** A connection for each time: the server may be killed between two. */
export function createAdmin(url: string, namespace: string): Admin {
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

/** Makes a server forget all functions and scripts, as one does that takes over without them. */
export async function forgetScripts(redis: Redis): Promise<void> {
  await Promise.all([redis.call('FUNCTION', 'FLUSH'), redis.script('FLUSH')]);
}

/**
 * Whether all that was answered is written: while an fsync is under way, a Redis with `everysec` answers before it writes, for up to two
 * seconds. Who kills it just then takes some answers back.
 */
export async function isWritten(redis: Pick<Redis, 'info'>): Promise<boolean> {
  const told = await redis.info('persistence');
  return ['aof_pending_bio_fsync', 'aof_buffer_length'].every((field) => told.includes(`${field}:0\r\n`));
}
