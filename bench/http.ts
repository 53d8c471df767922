/**
 * What HTTP costs: single `POST /tasks` beside bare routes of the same stack, and batches as JSON and as a stream, on one SQLite file. The
 * clients are in a process of their own (`http-load.ts`), the same for each.
 */

import { join } from 'node:path';
import process from 'node:process';
import { createApp, type FetchHandler } from '../src/api/app.ts';
import { serve } from '../src/api/serve.ts';
import { connect } from '../src/broker/connect.ts';
import { systemClock } from '../src/core/time.ts';
import { createContext } from '../src/operations/context.ts';
import { bareRoute } from './http-bare.ts';
import { followScript, inFolder, load, quantile } from './settings.ts';

const seconds = Number(process.env.BENCH_HTTP_SECONDS ?? 4);
const rounds = Number(process.env.BENCH_HTTP_ROUNDS ?? 3);

export interface Served {
  readonly fetch: FetchHandler;
  close(): Promise<void>;
}

/** Of one measurement: answered in a second, and what each cost this process. */
interface Measured {
  readonly rate: number;
  readonly cpuMicros: number;
}

const kinds = {
  'a bare route that stores nothing': { load: 'single', open: () => bareRoute('nothing') },
  'a bare route, a row in a commit of its own': { load: 'single', open: (f: string) => bareRoute('each', f) },
  'a bare route, a row, commits shared': { load: 'single', open: (f: string) => bareRoute('shared', f) },
  'POST /tasks': { load: 'single', open: server },
  'POST /tasks/batch of 1,000': { load: 'batch', open: server },
  'POST /tasks/batch as a stream': { load: 'stream', open: server },
} as const satisfies Readonly<Record<string, { load: string; open: (folder: string) => Served | Promise<Served> }>>;

type Kind = keyof typeof kinds;

/** Prints requests and tasks a second and the CPU of the server for each, medians over the rounds, and the shares of the bare routes. */
export async function run(): Promise<void> {
  const all = new Map<Kind, Measured[]>();
  // Taken in turns: what else the machine does then meets all of them alike.
  for (let round = 0; round < rounds; round++) {
    for (const kind of Object.keys(kinds) as Kind[])
      all.set(kind, [...(all.get(kind) ?? []), await inFolder((folder) => measure(kind, folder))]);
  }
  const median = (kind: Kind, what: keyof Measured) => quantile(all.get(kind)?.map((one) => one[what]) ?? [], 0.5);
  const [singleRate, singleMicros] = [median('POST /tasks', 'rate'), median('POST /tasks', 'cpuMicros')];
  const row = (kind: Kind) => ({
    'a second': Math.round(median(kind, 'rate')),
    'CPU µs each': Number(median(kind, 'cpuMicros').toFixed(1)),
    ...(kind.startsWith('a bare') && {
      'POST /tasks, of its rate': Number((singleRate / median(kind, 'rate')).toFixed(2)),
      'by CPU': Number((median(kind, 'cpuMicros') / singleMicros).toFixed(2)),
    }),
  });
  console.log(`${rounds} rounds of ${seconds} seconds each, 64 connections; a task has an input of 130 bytes.`);
  console.table(Object.fromEntries((Object.keys(kinds) as Kind[]).map((kind) => [kind, row(kind)])));
  console.log(`Load of the machine: ${load()}.`);
}

async function server(folder: string): Promise<Served> {
  const store = connect(`sqlite:${join(folder, 'tasks.db')}`);
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'bench', role: 'admin', keyId: 'bench' } });
  const fetch = createApp({ context, report: (error) => console.error(error) });
  return { fetch, close: () => store.close() };
}

/** The clients say when they are warm, and then how many of theirs were answered in how many seconds. */
async function measure(kind: Kind, folder: string): Promise<Measured> {
  const { fetch, close } = await kinds[kind].open(folder);
  const running = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  let [warm, end] = [process.cpuUsage(), process.cpuUsage()];
  const printed = await followScript(
    ['http-load.ts', kinds[kind].load, String(running.port), String(seconds)],
    (line) => {
      if (line === 'warm') warm = process.cpuUsage();
      else end = process.cpuUsage();
    },
  );
  await running.close(0);
  await close();
  const [answered = Number.NaN, tookMs = Number.NaN] = (printed.at(-1) ?? '').split(' ').map(Number);
  const cpu = end.user + end.system - warm.user - warm.system;
  return { rate: (answered * 1_000) / tookMs, cpuMicros: cpu / answered };
}
