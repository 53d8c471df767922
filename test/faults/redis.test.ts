/** Redis with its record in SQLite, under faults: the table in README.md says which. */

import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { type RedisServer, startRedis } from '../../src/servers/redis.ts';
import { forgetScripts, isWritten } from '../../src/torture/redis-admin.ts';
import { machineMs, readClientLog, readEffects } from '../e2e/logs.ts';
import { until } from '../e2e/processes.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { cutCalls, silence } from './network.ts';
import { outages } from './outages.ts';
import { type Context, expectValid, healthOf, pass, type Run, type RunOptions, startRun } from './run.ts';

interface RedisRun extends Run {
  readonly redis: RedisServer;
  readonly admin: Redis;
}

/** A Redis of its own, as it is run where tasks count. */
async function startOnRedis(
  context: Context,
  settings: readonly string[] = [],
  more: Partial<RunOptions> = {},
): Promise<RedisRun> {
  const redis = await startRedis(['--appendonly', 'yes', ...settings]);
  context.onTestFinished(redis.stop);
  const admin = new Redis({ path: redis.path });
  // Killed with its server, and there again with it.
  admin.on('error', () => undefined);
  context.onTestFinished(async () => admin.disconnect());
  const place = { broker: redis.url };
  return { ...(await startRun({ place, direct: place, ...more }, context)), redis, admin };
}

async function startBehindProxy(context: Context): Promise<Run & { readonly proxy: FaultProxy }> {
  const redis = await startRedis(['--appendonly', 'yes']);
  context.onTestFinished(redis.stop);
  const proxy = await startFaultProxy({ target: { path: redis.path }, protocol: 'redis' });
  context.onTestFinished(proxy.close);
  const place = { broker: `redis://127.0.0.1:${proxy.port}` };
  return { ...(await startRun({ place, direct: { broker: redis.url } }, context)), proxy };
}

/** How long after its event an answer is noted, and how long after a loss the runs of then have ended. */
const answerMs = 500;
const endMs = 2_000;

/** More than 20 slots can do: some always wait. */
const crowd: Partial<RunOptions> = { rate: 65, input: { ms: 400 } };

/** Waits until tasks wait, and after `wipe` until they are back. Answers those of whom the record may not have heard. */
async function whileWiped(run: RedisRun, wipe: () => Promise<unknown>): Promise<ReadonlySet<string>> {
  const waiting = async () => (await run.store.broker.getQueues())[0]?.counts.queued ?? 0;
  await until('tasks wait', async () => (await waiting()) > 60);
  const gap = async () => (await healthOf(run)).record?.gap ?? null;
  const before = await gap();
  const wipedAt = machineMs();
  await wipe();
  const thereAt = machineMs();
  // Whoever asks for nothing else is told nothing: this process works on what is there now.
  await until('it is there', () => run.store.broker.info().then(Boolean, () => false));
  let told = before;
  await until('the gap is told', async () => {
    told = await gap();
    return told !== null && told.to !== before?.to && told.restored > 40;
  });
  const recordedUntil = Date.parse(told?.from ?? '') - (Date.now() - machineMs());
  expect(recordedUntil).toBeLessThan(wipedAt);
  return new Set(
    [...readClientLog(run.scenario.folder), ...readEffects(run.scenario.folder)]
      .filter(({ at }) => at > recordedUntil - answerMs && at < thereAt + endMs)
      .map(({ taskId }) => taskId),
  );
}

/** Whatever the record had not heard of is lost, and nothing else. */
async function expectLost(run: RedisRun, lost: ReadonlySet<string>): Promise<void> {
  const { violations } = await run.finish(lost.size);
  const isLate = (taskId: string | null): boolean => taskId !== null && lost.has(taskId);
  // What came back was there before, for whoever has not seen it go.
  const isReturn = (sentence: string): boolean => sentence.includes(', restore null → ');
  expect(violations.filter(({ taskId, sentence }) => !isLate(taskId) && !isReturn(sentence))).toEqual([]);
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
      const run = await startOnRedis(context, ['--appendfsync', fsync]);
      for (const { ms } of outages) {
        await until('what was answered is written', () => isWritten(run.admin));
        await run.redis.kill();
        await pass(ms);
        await run.redis.restart();
        await run.goesOn();
      }
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });

    test('that forgets its scripts all the time holds up nobody', async (context) => {
      const run = await startOnRedis(context);
      for (const { ms } of outages) {
        const until = performance.now() + ms;
        for (let flushes = 0; performance.now() < until || flushes < 100; flushes++) await forgetScripts(run.admin);
        await run.goesOn();
      }
      expectValid(await run.finish());
      expect(run.counts().refused).toBe(0);
    });

    test('without memory takes no task and lets every other end', async (context) => {
      const run = await startOnRedis(context);
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

    test('that is wiped is noticed, has back what was recorded, and the loss is shown', async (context) => {
      const run = await startOnRedis(context, [], crowd);
      const lost = await whileWiped(run, () => run.admin.flushall());
      await run.goesOn();
      expect(await (await fetch(run.url)).text()).toContain('The live store lost what it had');
      expect(await run.ask('db', 'status')).toMatchObject({
        code: 0,
        output: expect.stringMatching(/^gap\t\d+ brought back/m),
      });
      await expectLost(run, lost);
    });

    test('that comes back without its data has back what was recorded', async (context) => {
      const run = await startOnRedis(context, [], crowd);
      const lost = new Set<string>();
      for (const { ms } of outages) {
        const wipe = async (): Promise<void> => {
          await run.redis.kill();
          rmSync(join(dirname(run.redis.path), 'appendonlydir'), { recursive: true });
          await pass(ms);
          await run.redis.restart();
        };
        for (const taskId of await whileWiped(run, wipe)) lost.add(taskId);
        await run.goesOn();
      }
      await expectLost(run, lost);
    });

    test('behind half-open connections is reached on new ones', async (context) => {
      const run = await startBehindProxy(context);
      for (const { ms } of outages) await silence(run, ms);
      expectValid(await run.finish());
    });

    test('whose answers are lost does nothing twice', async (context) => {
      const run = await startBehindProxy(context);
      for (const { ms } of outages) await cutCalls(run, { ms, request: /^FCALL /i });
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });
  });
});
