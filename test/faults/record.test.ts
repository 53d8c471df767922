/** Redis with its record in Postgres, and what becomes of either: the table in README.md says which. */

import { describe, expect, test } from 'vitest';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { startPostgres } from '../../src/servers/postgres.ts';
import { startRedis } from '../../src/servers/redis.ts';
import { until } from '../e2e/processes.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { cutCalls, silence } from './network.ts';
import { outages, recordAwayMs } from './outages.ts';
import { terminateBackends } from './postgres-faults.ts';
import { type Context, expectValid, healthOf, pass, type Run, type RunOptions, startRun } from './run.ts';

async function startRedisFor(context: Context): Promise<string> {
  const redis = await startRedis(['--appendonly', 'yes']);
  context.onTestFinished(redis.stop);
  return redis.url;
}

await onOwnRedis(() =>
  onPostgres(({ createDatabase }) => {
    async function startWith(record: string, context: Context, more: Partial<RunOptions> = {}): Promise<Run> {
      const place = { broker: await startRedisFor(context), record };
      return startRun({ place, direct: place, ...more }, context);
    }

    describe.concurrent('a record in Postgres', () => {
      test('that is shut down at once and started again misses nothing', async (context) => {
        const postgres = await startPostgres(['fsync=off']);
        context.onTestFinished(postgres.stop);
        const run = await startWith(postgres.url, context);
        for (const { ms } of outages) {
          await postgres.kill();
          await pass(ms);
          // Nobody who enqueues or runs tasks has noticed.
          await run.goesOn();
          await postgres.restart();
        }
        expectValid(await run.finish());
        expect(run.counts().refused).toBe(0);
      });

      test('that is away when everybody begins has all of it in the end', async (context) => {
        const postgres = await startPostgres(['fsync=off']);
        context.onTestFinished(postgres.stop);
        await postgres.kill();
        const run = await startWith(postgres.url, context);
        for (const { ms } of outages) {
          await pass(ms);
          await run.goesOn();
        }
        const page = await fetch(run.url);
        expect([page.status, await page.text()]).toEqual([
          200,
          expect.stringContaining('The record cannot be reached'),
        ]);
        await postgres.restart();
        expectValid(await run.finish());
        expect(run.counts().refused).toBe(0);
      });

      test('whose backends are terminated time and again misses nothing', async (context) => {
        const url = await createDatabase();
        const run = await startWith(url, context);
        for (const { ms } of outages) await terminateBackends(run, { url, ms });
        expectValid(await run.finish());
        expect(run.counts().refused).toBe(0);
      });

      test('behind half-open connections and lost answers misses nothing', async (context) => {
        const url = await createDatabase();
        const { hostname: host, port } = new URL(url);
        const proxy = await startFaultProxy({ target: { host, port: Number(port) }, protocol: 'postgres' });
        context.onTestFinished(proxy.close);
        const broker = await startRedisFor(context);
        const record = Object.assign(new URL(url), { port: String(proxy.port) }).href;
        const options = { place: { broker, record }, direct: { broker, record: url } };
        const run = { ...(await startRun(options, context)), proxy };
        for (const { ms } of outages) {
          await silence(run, ms);
          await cutCalls(run, { ms, request: /^(commit|update|insert|with|select)\b/i });
        }
        expectValid(await run.finish());
        expect(run.counts().refused).toBe(0);
      });
    });

    test('a record that is away while 1,000 tasks a second come is told to be late, and catches up', async (context) => {
      const postgres = await startPostgres(['fsync=off']);
      context.onTestFinished(postgres.stop);
      const run = await startWith(postgres.url, context, { rate: 1_000, input: {} });
      const lagOf = async (): Promise<number> => (await healthOf(run)).lagMs;
      await postgres.kill();
      const before = run.counts();
      await pass(recordAwayMs);
      const during = run.counts();
      expect(during.accepted - before.accepted).toBeGreaterThan(recordAwayMs / 4);
      expect(during.ended - before.ended).toBeGreaterThan(recordAwayMs / 4);
      // While it is away: once it is back what it lacks may be recorded before anybody can ask.
      await until('the lag is told', async () => (await lagOf()) > recordAwayMs / 2);
      await postgres.restart();
      expectValid(await run.finish());
      expect(run.counts().refused).toBe(0);
    });
  }),
);
