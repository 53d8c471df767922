/**
 * What HTTP costs: single `POST /tasks` beside a bare route of the same stack, and batches as JSON and as a stream, on one SQLite file. The
 * clients are in a process of their own (`http-load.ts`), the same for each.
 */

import { join } from 'node:path';
import process from 'node:process';
import { Hono } from 'hono';
import { createApp, type FetchHandler } from '../src/api/app.ts';
import { serve } from '../src/api/serve.ts';
import { connect } from '../src/broker/connect.ts';
import { systemClock } from '../src/core/time.ts';
import { createContext } from '../src/operations/context.ts';
import { inFolder, load, quantile, runScript } from './settings.ts';

const seconds = Number(process.env.BENCH_HTTP_SECONDS ?? 4);
const rounds = Number(process.env.BENCH_HTTP_ROUNDS ?? 3);

interface Rates {
  readonly bare: number[];
  readonly single: number[];
  readonly batch: number[];
  readonly stream: number[];
}

/** Prints requests and tasks a second, medians over the rounds, and the share of the bare route. */
export async function run(): Promise<void> {
  const rates: Rates = { bare: [], single: [], batch: [], stream: [] };
  // Taken in turns: what else the machine does then meets all of them alike.
  for (let round = 0; round < rounds; round++) {
    rates.bare.push(await measure('single', async () => ({ fetch: bareRoute(), close: async () => {} })));
    for (const kind of ['single', 'batch', 'stream'] as const)
      rates[kind].push(await inFolder((f) => measure(kind, () => server(f))));
  }
  const [bare, single] = [quantile(rates.bare, 0.5), quantile(rates.single, 0.5)];
  console.log(`${rounds} rounds of ${seconds} seconds each, 64 connections; a task has an input of 130 bytes.`);
  console.table({
    'a bare route, requests/s': Math.round(bare),
    'POST /tasks, requests/s': Math.round(single),
    'POST /tasks, of the bare route': Number((single / bare).toFixed(2)),
    'POST /tasks/batch of 1,000, tasks/s': Math.round(quantile(rates.batch, 0.5)),
    'POST /tasks/batch as a stream, tasks/s': Math.round(quantile(rates.stream, 0.5)),
  });
  console.log(`Load of the machine: ${load()}.`);
}

interface Served {
  readonly fetch: FetchHandler;
  close(): Promise<void>;
}

/** Reads its body and answers as much as ours does, and nothing else. */
function bareRoute(): FetchHandler {
  const app = new Hono();
  app.post('/api/v1/tasks', async (c) => {
    const { name } = await c.req.json<{ name: string }>();
    return c.json({ id: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX', name, queue: 'default', state: 'queued', created: true }, 201);
  });
  return async (request) => app.fetch(request);
}

async function server(folder: string): Promise<Served> {
  const store = connect(`sqlite:${join(folder, 'tasks.db')}`);
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'bench', role: 'admin', keyId: 'bench' } });
  const fetch = createApp({ context, report: (error) => console.error(error) });
  return { fetch, close: () => store.close() };
}

/** What the load counts in a second: requests, or tasks of them. */
async function measure(kind: 'single' | 'batch' | 'stream', open: () => Promise<Served>): Promise<number> {
  const { fetch, close } = await open();
  const running = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const printed = await runScript('http-load.ts', kind, String(running.port), String(seconds));
  await running.close(0);
  await close();
  return Number(printed);
}
