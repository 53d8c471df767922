/** A whole server on a real port of this machine: its store, its engine, and one worker with two tasks. */

import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { createApp } from '../../src/api/app.ts';
import { type RunningServer, serve } from '../../src/api/serve.ts';
import { connect } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import { systemClock } from '../../src/core/time.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { fatal, task } from '../../src/index.ts';
import { createContext } from '../../src/operations/context.ts';
import { createWorker } from '../../src/worker/worker.ts';

export interface LiveServer extends RunningServer {
  readonly store: Store;
  /** What was reported as nobody's mistake but ours. */
  readonly reported: readonly unknown[];
}

const double = task('double', { input: z.object({ n: z.number() }), run: async ({ n }) => ({ n: n * 2 }) });
const doomed = task('doomed', {
  input: z.object({}),
  run: async () => {
    throw fatal('no chance');
  },
});

/** Ends with the test. */
export async function startLiveServer(url = 'sqlite::memory:'): Promise<LiveServer> {
  const store = connect(url);
  await store.broker.open();
  const engine = createEngine({
    store,
    clock: systemClock,
    chance: systemChance,
    isGone: () => false,
    report: () => {},
  });
  const worker = createWorker({
    store,
    name: 'ada',
    definitions: [double[definitionBrand], doomed[definitionBrand]],
    queues: ['default'],
    concurrency: 10,
  });
  const reported: unknown[] = [];
  const server = await serve({
    fetch: createApp({
      context: createContext({ store, actor: { name: 'ada', role: 'admin' } }),
      version: '1.2.3',
      pages: createPages({ version: '1.2.3' }),
      report: (error) => reported.push(error),
    }),
    host: '127.0.0.1',
    port: 0,
    insecure: false,
    clock: systemClock,
  });
  engine.start();
  worker.start();
  onTestFinished(async () => {
    await server.close(0);
    await worker.stop();
    await engine.stop();
    await store.close();
  });
  return { ...server, store, reported };
}
