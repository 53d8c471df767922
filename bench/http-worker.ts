/**
 * A worker over HTTP beside one on the store: no-op tasks a second from a backlog, and idle pick-up, by turns in one run. Worker and server are
 * processes of their own on one SQLite file; tasks are enqueued at the store.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { createApp } from '../src/api/app.ts';
import { createAuthenticate } from '../src/api/authenticate.ts';
import { createGate } from '../src/api/gate.ts';
import { serve } from '../src/api/serve.ts';
import { connect } from '../src/broker/connect.ts';
import { makeClient } from '../src/client/client.ts';
import { invariant } from '../src/core/assert.ts';
import { systemChance } from '../src/core/chance.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { createContext } from '../src/operations/context.ts';
import { inFolder, load, quantile } from './settings.ts';
import { monotonicMs, stampTask } from './stamp.ts';

const backlog = Number(process.env.BENCH_TASKS ?? 10_000);
const pickups = Number(process.env.BENCH_PICKUPS ?? 100);
const rounds = Number(process.env.BENCH_ROUNDS ?? 2);
const slots = Number(process.env.BENCH_SLOTS ?? 20);
const ways = ['at the store', 'over HTTP'] as const;

interface Row {
  readonly 'tasks/s': number;
  readonly 'pick-up p50 ms': number;
  readonly 'pick-up p99 ms': number;
}

/** Prints a row of each way and round, and what the one has of the other. */
export async function run(): Promise<void> {
  console.log(`${backlog} no-op tasks in ${slots} slots, then ${pickups} single ones 20 to 50 ms apart, on SQLite.`);
  const rows: Record<string, Row> = {};
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const [direct, remote] = [await measure('at the store'), await measure('over HTTP')];
    for (const [at, row] of [direct, remote].entries()) rows[`${ways[at]} ${round}`] = row;
    ratios.push(remote['tasks/s'] / direct['tasks/s']);
  }
  console.table(rows);
  console.log(
    `Over HTTP ${quantile(ratios, 0.5).toFixed(2)} of the rate at the store. Load of the machine: ${load()}.`,
  );
}

function measure(way: (typeof ways)[number]): Promise<Row> {
  return inFolder(async (folder) => {
    const url = `sqlite:${join(folder, 'tasks.db')}`;
    const store = connect(url);
    await store.broker.open();
    const server = way === 'at the store' ? null : await startServer(store);
    const env = { ...process.env, ...(server !== null && { TASKFLOW_TOKEN: server.token }) };
    const child = fork(join(import.meta.dirname, 'http-worker-own.ts'), [server?.url ?? url, String(slots)], { env });
    await once(child, 'message');
    const row = { 'tasks/s': Math.round(await rateOf(store, child)), ...(await pickUpOf(store, child)) };
    child.send('stop');
    await once(child, 'exit');
    await server?.close();
    await store.close();
    return row;
  });
}

/** As `taskflow server start` puts it together, without pages. */
async function startServer(store: Store) {
  const { access } = store;
  invariant(access !== undefined, 'A store of SQLite has keys.');
  const context = createContext({ store, actor: { name: 'bench', role: 'admin' } });
  const gate = createGate({ clock: systemClock });
  const authenticate = createAuthenticate(access, gate);
  const fetch = createApp({ context, access, authenticate, gate, report: (error) => console.error(error) });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const { token } = await access.keys.create({
    ...{ kind: 'worker', label: 'bench', role: 'operator', scopes: ['work'], queues: null },
    ...{ createdBy: 'bench', expiresInMs: null },
  });
  return {
    url: server.url,
    token,
    async close() {
      context.remote.hints.end();
      await server.close(100);
    },
  };
}

/** From the first start to the last. */
async function rateOf(store: Store, child: ChildProcess): Promise<number> {
  const client = makeClient({ open: async () => store });
  const inputs = Array.from({ length: backlog }, (_one, n) => ({ n }));
  await client.enqueueMany(
    stampTask(() => {}),
    inputs,
  );
  child.send(backlog);
  const [stamps] = (await once(child, 'message')) as [readonly number[]];
  return (backlog / ((stamps.at(-1) ?? 0) - (stamps[0] ?? 0))) * 1_000;
}

/** From the call of enqueue to the start of the handler. */
async function pickUpOf(store: Store, child: ChildProcess) {
  const client = makeClient({ open: async () => store });
  const definition = stampTask(() => {});
  const times: number[] = [];
  child.send(1);
  for (let n = 0; n < pickups; n++) {
    await sleep(systemClock, 20 + systemChance.float() * 30);
    const told = once(child, 'message') as Promise<[readonly number[]]>;
    const sentAt = monotonicMs();
    await client.enqueue(definition, { n });
    times.push(((await told)[0][0] ?? 0) - sentAt);
  }
  const rounded = (share: number): number => Number(quantile(times, share).toFixed(1));
  return { 'pick-up p50 ms': rounded(0.5), 'pick-up p99 ms': rounded(0.99) };
}
