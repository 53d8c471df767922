/** Workers that reach the store through a server alone, under faults: the table in README.md says which. */

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { freePort } from '../../src/servers/free-port.ts';
import type { Child } from '../e2e/processes.ts';
import { waitFor } from '../support/wait-for.ts';
import { cutCalls, cutOnce, silence } from './network.ts';
import { outages } from './outages.ts';
import { type Context, eventsOf, expectValid, pass, type Run, type Starter, slots, startRun } from './run.ts';

interface HttpRun extends Run {
  /** Between the workers and the server. */
  readonly proxy: FaultProxy;
  /** `kill -9`, and a new one at the same address so much later. */
  killServer(awayMs: number): Promise<void>;
  startWorker(): Promise<Child>;
}

interface Wish {
  readonly workers?: number;
  /** Added to the environment of the workers. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A server on SQLite, and workers that know its address and nothing else. */
async function startOverHttp(context: Context, { workers = 1, env = {} }: Wish = {}): Promise<HttpRun> {
  const port = await freePort();
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port }, protocol: 'http' });
  context.onTestFinished(proxy.close);
  let start: Starter | null = null;
  const begin = async (args: readonly string[], more = {}): Promise<Child> => {
    if (start === null) throw new Error('nothing has begun yet');
    const child = start([...args, '--json'], more);
    await child.heard('ready');
    return child;
  };
  const startServer = () => begin(['server', 'start', '--port', `${port}`]);
  const ofServer = ['--server', `http://127.0.0.1:${proxy.port}`, '--concurrency', `${slots}`];
  const startWorker = () => begin(['worker', 'start', ...ofServer], env);
  const run = await startRun(
    {
      place: placeOf,
      direct: placeOf,
      async begin(starter) {
        start = starter;
        const server = await startServer();
        const all = await Promise.all(Array.from({ length: workers }, startWorker));
        return { server, workers: all, url: `http://127.0.0.1:${port}` };
      },
    },
    context,
  );
  return {
    ...run,
    proxy,
    async killServer(awayMs) {
      run.members.server.send('SIGKILL');
      await run.members.server.exited;
      await pass(awayMs);
      run.members.server = await startServer();
    },
    async startWorker() {
      const worker = await startWorker();
      run.members.workers.push(worker);
      return worker;
    },
  };
}

const placeOf = (folder: string) => ({ broker: `sqlite:${join(folder, 'store.db')}` });

const ofWorkers = /^POST \/api\/v1\/worker\/(claim|heartbeat|outcome) /;
/** Two hours ahead: of whoever takes the word of a worker for the time, leases would never end. */
const wrongClock = `data:text/javascript,${encodeURIComponent('const now = Date.now; Date.now = () => now() + 7_200_000;')}`;

describe.concurrent('a worker over HTTP', () => {
  test('goes on when its server is killed and begins anew, and so do others that wait', async (context) => {
    const run = await startOverHttp(context, { workers: 3 });
    for (const { ms } of outages) {
      await run.killServer(ms);
      await run.goesOn();
      // At once again: claims that have just been sent are lost with it.
      await run.killServer(0);
      await run.goesOn();
    }
    expectValid(await run.finish());
  });

  test('that is killed leaves its tasks to others', async (context) => {
    const run = await startOverHttp(context, { workers: 2 });
    for (const { ms } of outages) {
      const [victim] = run.members.workers.filter((worker) => worker.isRunning());
      victim?.send('SIGKILL');
      await victim?.exited;
      await pass(ms);
      await run.goesOn();
      await run.startWorker();
      await run.goesOn();
    }
    expectValid(await run.finish());
  });

  test('whose replies are lost does nothing twice', async (context) => {
    const run = await startOverHttp(context);
    for (const { ms } of outages) await cutCalls(run, { ms, request: ofWorkers });
    expectValid(await run.finish());
  });

  test('whose server is killed while a reply is on its way does nothing twice', async (context) => {
    const run = await startOverHttp(context);
    for (const verb of ['claim', 'heartbeat', 'outcome']) {
      const request = new RegExp(`^POST /api/v1/worker/${verb} `);
      await cutOnce(run.proxy, { kind: 'cutAt', request, nth: 1, executed: true });
      run.proxy.inflict({ kind: 'none' });
      await run.killServer(0);
      await run.goesOn();
    }
    expectValid(await run.finish());
  });

  test('behind half-open connections is reached on new ones', async (context) => {
    const run = await startOverHttp(context);
    for (const { ms } of outages) await silence(run, ms);
    expectValid(await run.finish());
  });

  test('on a slow network whose proxy ends requests that wait goes on', async (context) => {
    const run = await startOverHttp(context, { workers: 2 });
    for (const { ms } of outages) {
      run.proxy.inflict({ kind: 'delay', ms: 40, jitterMs: 80 });
      for (let passed = 0; passed < ms; passed += cutsEveryMs) {
        await pass(cutsEveryMs);
        // Who was cut off before may not be back yet.
        await waitFor(() => expect(run.proxy.reset()).toBeGreaterThan(0));
      }
      await run.goesOn();
      run.proxy.inflict({ kind: 'none' });
    }
    expectValid(await run.finish());
  });

  test('whose clock is two hours wrong is nobody to take the time from', async (context) => {
    const run = await startOverHttp(context, { env: { NODE_OPTIONS: `--import ${wrongClock}` } });
    for (const { ms } of outages) await run.killServer(ms);
    await run.goesOn();
    expectValid(await run.finish());
    const now = Date.now();
    for await (const { at } of eventsOf(run.store)) expect(at).toBeLessThan(now + 60_000);
  });
});

/** Shorter than the wait of a claim, longer than a call on this network. */
const cutsEveryMs = 500;
