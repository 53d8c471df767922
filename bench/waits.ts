/**
 * What a thousand who wait for results cost the store, and how long a result takes to whoever waits for it: with the event log, and looking at
 * each, by turns in one run. Tasks come and end in another connection to the file, so that signals are as those of another process.
 */

import { join } from 'node:path';
import { connect } from '../src/broker/connect.ts';
import { createEndLog } from '../src/client/end-log.ts';
import { createWaiter } from '../src/client/waiter.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { benchClaim, benchTask, succeed } from './samples.ts';
import { inFolder, load, quantile } from './settings.ts';

const waits = Number(process.env.BENCH_WAITS ?? 1_000);
const seconds = Number(process.env.BENCH_WAITS_SECONDS ?? 3);
/** Tasks in one step of the driver beside those that are waited for, and its pace: a thousand in a second, in many small calls. */
const stepMs = 20;
const batch = 20;

/** Prints two rows of each way. */
export async function run(): Promise<void> {
  console.log(
    `${waits} wait over SQLite while 1,000 other tasks a second come and end, for ${seconds} seconds; then theirs end.`,
  );
  const rows: Record<string, object> = {};
  for (const round of [1, 2])
    for (const way of ['looking at each', 'by the log'] as const)
      rows[`${way} ${round}`] = await measure(way === 'by the log');
  console.table(rows);
  console.log(`Load of the machine: ${load()}.`);
}

function measure(isByLog: boolean) {
  return inFolder(async (folder) => {
    const url = `sqlite:${join(folder, 'waits.db')}`;
    const [here, there] = [connect(url), connect(url)];
    await here.broker.open();
    await there.broker.open();
    const counts = countCalls(here);
    const log = isByLog ? createEndLog(here, systemClock) : null;
    const waiter = createWaiter(
      async () => here.broker,
      systemClock,
      async () => log,
    );
    const tasks = Array.from({ length: waits }, () => benchTask());
    await there.broker.enqueue(tasks);
    const own = await there.broker.claim(benchClaim(waits));
    const endedAt = new Map<string, number>();
    const delays: number[] = [];
    const all = tasks.map(async ({ id }) => {
      await waiter.finished(id, 60_000);
      delays.push(performance.now() - (endedAt.get(id) ?? 0));
    });
    await sleep(systemClock, 300);
    const before = counts();
    const began = performance.now();
    await work(there, began);
    const tookMs = performance.now() - began;
    const [statements, rows] = counts().map((count, index) => count - (before[index] ?? 0));
    for (let at = 0; at < own.length; at += batch) {
      const part = own.slice(at, at + batch);
      await there.broker.settle(part.map(succeed));
      for (const { task } of part) endedAt.set(task.id, performance.now());
      await sleep(systemClock, 5);
    }
    await Promise.all(all);
    await here.close();
    await there.close();
    return {
      'statements/s': Math.round(((statements ?? 0) / tookMs) * 1_000),
      'rows/s': Math.round(((rows ?? 0) / tookMs) * 1_000),
      'statements/s of a wait': Number(((((statements ?? 0) / tookMs) * 1_000) / waits).toFixed(4)),
      'p50 ms': Math.round(quantile(delays, 0.5)),
      'p99 ms': Math.round(quantile(delays, 0.99)),
    };
  });
}

/** Other tasks come and end until the time is over. */
async function work({ broker }: Store, began: number): Promise<void> {
  for (let step = 0; performance.now() - began < seconds * 1_000; step++) {
    for (let made = 0; made < batch; made++) await broker.enqueue([benchTask()]);
    await broker.settle((await broker.claim(benchClaim(batch))).map(succeed));
    await sleep(systemClock, Math.max(0, began + (step + 1) * stepMs - performance.now()));
  }
}

/** Counts what waiting asks the store: calls, and tasks or events in their answers. */
function countCalls(store: Store): () => readonly number[] {
  const { broker, history } = store;
  let [statements, rows] = [0, 0];
  const count = <Answer extends readonly unknown[]>(answer: Answer): Answer => {
    statements++;
    rows += answer.length;
    return answer;
  };
  const { getTasks, info } = broker;
  const { events, eventSpan } = history;
  Object.assign(broker, {
    getTasks: async (ids: readonly string[]) => count(await getTasks(ids)),
    info: async () => count([await info()])[0],
  });
  Object.assign(history, {
    events: async (after: number, limit: number) => count(await events(after, limit)),
    eventSpan: async () => count([await eventSpan()])[0],
  });
  return () => [statements, rows];
}
