/** Postgres as broker and record in one, under faults: the table in README.md says which. */

import { describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { startPostgres } from '../../src/servers/postgres.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { cutCalls, silence } from './network.ts';
import { outages } from './outages.ts';
import { terminateBackends } from './postgres-faults.ts';
import { type Context, expectValid, pass, type Run, startRun } from './run.ts';

/** As long as a statement may wait for a lock: steps are numbered when they begin to write. */
const overlapMs = 30_000;

async function startOn(url: string, context: Context): Promise<Run> {
  const place = { broker: url };
  return startRun({ place, direct: place, overlapMs }, context);
}

await onPostgres(({ createDatabase }) => {
  async function startBehindProxy(context: Context): Promise<Run & { readonly proxy: FaultProxy }> {
    const url = await createDatabase();
    const { hostname: host, port } = new URL(url);
    const proxy = await startFaultProxy({ target: { host, port: Number(port) }, protocol: 'postgres' });
    context.onTestFinished(proxy.close);
    const broker = Object.assign(new URL(url), { port: String(proxy.port) }).href;
    return { ...(await startRun({ place: { broker }, direct: { broker: url }, overlapMs }, context)), proxy };
  }

  describe.concurrent('Postgres', () => {
    test('that is shut down at once and started again loses nothing', async (context) => {
      const postgres = await startPostgres(['fsync=off']);
      context.onTestFinished(postgres.stop);
      const run = await startOn(postgres.url, context);
      for (const { ms } of outages) {
        await postgres.kill();
        await pass(ms);
        await postgres.restart();
        await run.goesOn();
      }
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });

    test('whose backends are terminated time and again loses nothing and does nothing twice', async (context) => {
      const url = await createDatabase();
      const run = await startOn(url, context);
      for (const { ms } of outages) await terminateBackends(run, { url, ms });
      expectValid(await run.finish());
    });

    test('behind half-open connections is reached on new ones', async (context) => {
      const run = await startBehindProxy(context);
      for (const { ms } of outages) await silence(run, ms);
      expectValid(await run.finish());
    });

    test('whose answers are lost does nothing twice', async (context) => {
      const run = await startBehindProxy(context);
      for (const { ms } of outages) await cutCalls(run, { ms, request: /^(commit|update|insert|with|select)\b/i });
      expectValid(await run.finish());
      expect(run.counts().refused).toBeGreaterThan(0);
    });
  });
});
