/** Tests that want a Redis: the one that `REDIS_URL` names, or one of their own where there is a program for it. */

import { afterAll, inject } from 'vitest';
import type { RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { findRedis } from '../../src/servers/programs.ts';
import { type RedisServer, startRedis } from '../../src/servers/redis.ts';
import { declareWithout } from './without-server.ts';

/**
 * Declares tests on any Redis. They keep to namespaces of their own and remove them: others may use it at the same time. To start
 * one takes 30 ms, so each file has its own.
 */
export async function onRedis(declare: (address: RedisOptions['address']) => Promise<void> | void): Promise<void> {
  const url = inject('givenServers').redis;
  if (url !== '') return declare({ url });
  await onOwnRedis((server) => declare({ path: server.path }));
}

/** Declares tests on a Redis that they may flush, fill and kill. It ends with them. */
export async function onOwnRedis(declare: (server: RedisServer) => Promise<void> | void): Promise<void> {
  if (findRedis() === null) return declareWithout('redis');
  const server = await startRedis();
  afterAll(() => server.stop());
  await declare(server);
}
