/** Tests that want a Redis: with a server of their own where there is one to start, else told how to get it. */

import process from 'node:process';
import { afterAll, expect, test } from 'vitest';
import { hasRedis, howToInstall, type RedisServer, startRedis } from './redis-server.ts';

/** Declares tests on a server that ends with them. Continuous integration sets `REDIS=required`: there must be one. */
export async function onRedis(declare: (server: RedisServer) => Promise<void> | void): Promise<void> {
  if (!hasRedis()) {
    console.log(howToInstall);
    test('a machine without redis-server is told how to get it, and is none that must have it', () => {
      expect(howToInstall).toMatch(/apt-get install redis-server/);
      expect(process.env.REDIS).not.toBe('required');
    });
    return;
  }
  const server = await startRedis();
  afterAll(() => server.stop());
  await declare(server);
}
