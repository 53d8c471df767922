/**
 * What a thousand who look on cost: tasks at a steady rate with and without them, the processor time of the server, and how long a
 * change takes to whoever follows its task.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { createLiveEndpoint } from '../src/api/live/endpoint.ts';
import { createUpgrade } from '../src/api/live/upgrade.ts';
import { serve } from '../src/api/serve.ts';
import { connect } from '../src/broker/connect.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { createLiveHub } from '../src/live/hub.ts';
import { createContext } from '../src/operations/context.ts';
import { benchClaim, benchTask, succeed } from './samples.ts';
import { inFolder, load, quantile } from './settings.ts';

const seconds = Number(process.env.BENCH_LIVE_SECONDS ?? 5);
const clients = Number(process.env.BENCH_LIVE_CLIENTS ?? 1_000);
/** They are one actor here. */
const everybody = {
  liveConnectionsMax: clients + 1,
  livePerActorMax: clients + 1,
  livePerSessionMax: 5,
  livePerAddressMax: clients + 1,
};
/** Tasks in one step of the driver, and its pace: a thousand in a second. */
const batch = 20;
const stepMs = 20;

/** Prints one row without clients, and one with them. */
export async function run(): Promise<void> {
  console.log(
    `${seconds} seconds each over SQLite. Of ${clients} clients a tenth follows every task, two a queue, the others the counts.`,
  );
  console.table({ 'nobody looks on': await measure(0), [`${clients} look on`]: await measure(clients) });
  console.log(`The share of a core in percent is that of the process of the server. Load of the machine: ${load()}.`);
}

function measure(count: number) {
  return inFolder(async (folder) => {
    const store = connect(`sqlite:${join(folder, 'live.db')}`);
    await store.broker.open();
    const context = createContext({ store, actor: { name: 'bench', role: 'viewer' } });
    const hub = createLiveHub({ context, report: ({ kind }) => console.error(kind) });
    const live = createLiveEndpoint({ hub, clock: systemClock, connectionLimits: everybody });
    const report = (error: unknown): void => console.error(error);
    const server = await serve({
      fetch: async () => new Response('ok'),
      onUpgrade: createUpgrade({ live, context, hosts: [], report }),
      host: '127.0.0.1',
      port: 0,
      insecure: false,
      clock: systemClock,
    });
    const url = `ws://127.0.0.1:${server.port}/api/v1/ws`;
    const crowd = count === 0 ? null : fork(fileURLToPath(import.meta.url), [url, String(count)]);
    if (crowd !== null) await once(crowd, 'message');
    const row = await drive(store, count === 0 ? null : url);
    crowd?.kill();
    await live.close();
    await server.close(0);
    await store.close();
    return row;
  });
}

/** Enqueues, claims and ends tasks at the rate; one task of each tenth of a second is followed. */
async function drive({ broker }: Store, url: string | null) {
  const probe = url === null ? null : await openProbe(url);
  const cpu = process.cpuUsage();
  const began = performance.now();
  let done = 0;
  let next = benchTask();
  for (let step = 0; performance.now() - began < seconds * 1_000; step++) {
    const isProbed = probe !== null && step % 5 === 4;
    const first = isProbed ? next : benchTask();
    await broker.enqueue([first, ...Array.from({ length: batch - 1 }, () => benchTask())]);
    const claimed = await broker.claim(benchClaim(batch));
    await broker.settle(claimed.map(succeed));
    done += claimed.length;
    if (isProbed) {
      probe.settled(first.id);
      // Before it is there: who follows must not hold up who works.
      next = benchTask();
    }
    if (probe !== null && step % 5 === 0) probe.follow(next.id);
    await sleep(systemClock, Math.max(0, began + (step + 1) * stepMs - performance.now()));
  }
  const tookMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await sleep(systemClock, 500);
  const delays = probe?.close() ?? [];
  return {
    'tasks/s': Math.round((done / tookMs) * 1_000),
    'core %': Math.round((user + system) / tookMs / 10),
    'p50 ms': delays.length === 0 ? null : Math.round(quantile(delays, 0.5)),
    'p99 ms': delays.length === 0 ? null : Math.round(quantile(delays, 0.99)),
    heard: delays.length,
  };
}

/** Follows tasks, and tells how long after its end each was heard of. */
async function openProbe(url: string) {
  const socket = new WebSocket(url);
  const settledAt = new Map<string, number>();
  const heardAt = new Map<string, number>();
  let former: readonly string[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as {
      readonly changes?: readonly { readonly id: string; readonly to: string }[];
    };
    for (const { id, to } of message.changes ?? []) if (to === 'succeeded') heardAt.set(id, performance.now());
  });
  await once(socket, 'open');
  return {
    follow: (id: string) => socket.send(JSON.stringify({ follow: [`task:${id}`], unfollow: [...former] })),
    settled(id: string) {
      settledAt.set(id, performance.now());
      // The one before it has been heard of by now.
      former = [`task:${[...settledAt.keys()].at(-2) ?? id}`].filter((topic) => topic !== `task:${id}`);
    },
    close() {
      socket.terminate();
      return [...heardAt].flatMap(([id, at]) => {
        const settled = settledAt.get(id);
        return settled === undefined ? [] : [Math.max(0, at - settled)];
      });
    },
  };
}

/** The other process: everybody who looks on. */
async function crowd(url: string, count: number): Promise<void> {
  for (let made = 0; made < count; made++) {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    const topic = made % 10 === 0 ? 'all' : made % 10 < 3 ? 'queue:default' : 'counts';
    socket.send(JSON.stringify({ follow: [topic] }));
    socket.on('message', () => undefined);
  }
  process.send?.('ready');
}

const [, script, url, count] = process.argv;
if (script === fileURLToPath(import.meta.url) && url !== undefined) await crowd(url, Number(count));
