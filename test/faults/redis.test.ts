/** Redis with its record in SQLite, under faults: the table in README.md says which. */

import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { type RedisServer, startRedis } from '../../src/servers/redis.ts';
import { readClientLog } from '../e2e/logs.ts';
import { until } from '../e2e/processes.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { cutCalls, silence } from './network.ts';
import { outages } from './outages.ts';
import { type AtEnd, expectValid, pass, type Run, startRun } from './run.ts';

interface RedisRun extends Run {
  readonly server: Run['server'];
  readonly redis: RedisServer;
  readonly admin: Redis;
}

/** A Redis of its own, as it is run where tasks count. */
async function startOnRedis(atEnd: AtEnd, settings: readonly string[] = []): Promise<RedisRun> {
  const redis = await startRedis(['--appendonly', 'yes', ...settings]);
  atEnd(redis.stop);
  const admin = new Redis({ path: redis.path });
  // Killed with its server, and there again with it.
  admin.on('error', () => undefined);
  atEnd(async () => admin.disconnect());
  const place = { broker: redis.url };
  return { ...(await startRun({ place, direct: place }, atEnd)), redis, admin };
}

async function startBehindProxy(atEnd: AtEnd): Promise<Run & { readonly proxy: FaultProxy }> {
  const redis = await startRedis(['--appendonly', 'yes']);
  atEnd(redis.stop);
  const proxy = await startFaultProxy({ target: { path: redis.path }, protocol: 'redis' });
  atEnd(proxy.close);
  const place = { broker: `redis://127.0.0.1:${proxy.port}` };
  return { ...(await startRun({ place, direct: { broker: redis.url } }, atEnd)), proxy };
}

/** The codes of the answers that were none, from now on. */
function refusalsOf(run: Run): () => ReadonlySet<string> {
  const known = readClientLog(run.scenario.folder).length;
  return () =>
    new Set(
      readClientLog(run.scenario.folder)
        .slice(known)
        .flatMap(({ code }) => code ?? []),
    );
}

await onOwnRedis(() => {
  describe.concurrent('Redis', () => {
    test.for(['always', 'everysec'])('that is killed while it syncs %s loses nothing', async (fsync, context) => {
      const run = await startOnRedis(context.onTestFinished, ['--appendfsync', fsync]);
      for (const { ms } of outages) {
        await run.redis.kill();
        await pass(ms);
        await run.redis.restart();
        await run.goesOn();
      }
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });

    test('that forgets its scripts all the time holds up nobody', async ({ onTestFinished }) => {
      const run = await startOnRedis(onTestFinished);
      for (const { ms } of outages) {
        const until = performance.now() + ms;
        for (let flushes = 0; performance.now() < until || flushes < 100; flushes++) await run.admin.script('FLUSH');
        await run.goesOn();
      }
      expectValid(await run.finish());
      expect(run.counts().refused).toBe(0);
    });

    test('without memory takes no task and lets every other end', async ({ onTestFinished }) => {
      const run = await startOnRedis(onTestFinished);
      const { broker } = run.store;
      for (const { ms } of outages) {
        await broker.configure('queue', 'default', { pause: { by: 'test', reason: null } });
        const waiting = async () => (await broker.getQueues())[0]?.counts.queued ?? 0;
        await until('tasks wait', async () => (await waiting()) > 50);
        const refusals = refusalsOf(run);
        await run.admin.config('SET', 'maxmemory', '1mb');
        await until('it refuses', () => refusals().size > 0);
        const before = run.counts();
        await broker.configure('queue', 'default', { pause: null });
        await until('all that waited has ended', async () => (await waiting()) === 0);
        await pass(ms);
        const { accepted, ended } = run.counts();
        expect(accepted - before.accepted).toBeLessThan(10);
        expect(ended - before.ended).toBeGreaterThanOrEqual(50);
        expect([...refusals()]).toEqual(['STORE_OUT_OF_MEMORY']);
        await run.admin.config('SET', 'maxmemory', '0');
        await run.goesOn();
      }
      expectValid(await run.finish());
    });

    test('behind half-open connections is reached on new ones', async ({ onTestFinished }) => {
      const run = await startBehindProxy(onTestFinished);
      for (const { ms } of outages) await silence(run, ms);
      expectValid(await run.finish());
    });

    test('whose answers are lost does nothing twice', async ({ onTestFinished }) => {
      const run = await startBehindProxy(onTestFinished);
      for (const { ms } of outages) await cutCalls(run, { ms, request: /^EVALSHA /i });
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });
  });
});
