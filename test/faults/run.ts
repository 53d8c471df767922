/**
 * One run under faults: a server and a worker as people start them, and a client that asks for tasks at a steady rate. None of
 * them is ever started again. In the end every task is done, and the judge is shown all that happened.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext } from 'vitest';
import { connect, connectDriver } from '../../src/broker/connect.ts';
import { isRedis } from '../../src/broker/store-url.ts';
import { createJudge } from '../../src/checker/judge.ts';
import type { Verdict } from '../../src/checker/verdict.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { once } from '../../src/core/once.ts';
import { systemClock as clock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { checkIndexes, showRows } from '../../src/torture/remains.ts';
import { createTail } from '../../src/torture/tail.ts';
import { createWork, type WorkInput } from '../e2e/fixtures/work.ts';
import { readClientLog, readEffects, readProcesses } from '../e2e/logs.ts';
import { type Child, createScenario, type Scenario, until } from '../e2e/processes.ts';

/** URLs of a broker and, where it is no database, of its record; without one that is a file of the run. */
export interface Place {
  readonly broker: string;
  readonly record?: string;
}

/** Of a test: its end is that of all that was started in it, and what came of it is kept with its result. */
export type Context = Pick<TestContext, 'onTestFinished' | 'task'>;

declare module 'vitest' {
  interface TaskMeta {
    /** What the run of a scenario came to, as `npm run test:long` writes it down. */
    run?: Counts;
  }
}

export interface RunOptions {
  /** Where the processes find their store; in the folder of the run, where it is a file. */
  readonly place: Place | ((folder: string) => Place);
  /** The same on a way of the test's own, in which no fault lies. */
  readonly direct: Place | ((folder: string) => Place);
  /** Tasks a second. */
  readonly rate?: number;
  readonly input?: Omit<WorkInput, 'n'>;
  /** Added to the environment of its processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** See `JudgeOptions`. */
  readonly overlapMs?: number;
  /** Starts the server and the first worker, where they do not begin at the store as usual. */
  readonly begin?: (start: Starter) => Promise<Members>;
}

/** Starts the command line with the environment of the run. */
export type Starter = (args: readonly string[], env?: Readonly<Record<string, string>>) => Child;

/** Who takes part now; those that are gone may be replaced. */
export interface Members {
  server: Child;
  /** All that there ever were. */
  readonly workers: Child[];
  /** Of the server. */
  readonly url: string;
}

export interface Run {
  readonly scenario: Scenario;
  readonly store: Store;
  readonly client: Child;
  readonly members: Members;
  /** Of the server. */
  readonly url: string;
  /** Calls that were answered, and runs that have ended, until now. */
  counts(): Counts;
  /** Waits until tasks are taken and done again: who was away needs no hand. */
  goesOn(): Promise<void>;
  /** The command line, as people use it here: answers what it says and how it ended. */
  ask(...words: readonly string[]): Promise<{ readonly output: string; readonly code: number | null }>;
  /**
   * Ends the load, waits until all is done and recorded, stops everybody in order, and shows all of it to the judge. So many accepted
   * tasks may be gone.
   */
  finish(goneMax?: number): Promise<Verdict>;
}

export interface Counts {
  readonly accepted: number;
  readonly refused: number;
  readonly ended: number;
}

/** Of a worker. */
export const slots = 20;
/** So much of both shows that work goes on, and so long may it take: the longest back-off, a lease, and a busy machine. */
const goesOnWith = 20;
const goesOnWithinMs = 40_000;
/** A process that keeps what it could not send grows beyond this; one that only waits has a third of it. */
const memoryMaxMb = 400;

/** The first command in a clone builds what it runs: that is no part of any scenario. */
const build = once(async () => {
  const scenario = createScenario();
  expect(await scenario.command(['version']).exited).toEqual({ code: 0, signal: null });
  await scenario.end();
});

/** Starts it, and waits until work goes on. Ends with the test. */
export async function startRun(options: RunOptions, context: Context): Promise<Run> {
  await build();
  const scenario = createScenario();
  const placed = (place: RunOptions['place']): Place => (typeof place === 'function' ? place(scenario.folder) : place);
  const [place, direct] = [placed(options.place), placed(options.direct)];
  context.onTestFinished(() => scenario.end());
  writeTask(scenario);
  const file = `sqlite:${scenario.folder}/record.db`;
  const recordOf = ({ broker, record = file }: Place): string | null => (isRedis(broker) ? record : null);
  const { broker } = place;
  const record = recordOf(place);
  const env = {
    TASKFLOW_BROKER: broker,
    ...(record === null ? {} : { TASKFLOW_STORE: record }),
    TASKFLOW_WORKER_LEASE: '5s',
    ...options.env,
  };
  const store = connect(direct.broker, { store: recordOf(direct) });
  await store.broker.open();
  context.onTestFinished(() => store.close());
  const start: Starter = (args, more = {}) => scenario.command(args, { env: { ...env, ...more } });
  const members = await (options.begin ?? beginAtStore)(start);
  const { url } = members;
  const { rate = 40, input = { ms: 10 } } = options;
  const load = { file: broker, count: 1_000_000, first: 0, width: 50, mixedDelayMs: 200, rate, input };
  const client = scenario.start('producer.ts', load);
  await client.heard('ready');
  const counts = createCounts(scenario, client, members);

  const goesOn = async (): Promise<void> => {
    const { accepted, ended } = counts();
    const isOn = (): boolean => counts().accepted >= accepted + goesOnWith && counts().ended >= ended + goesOnWith;
    await until('work goes on', isOn, { withinMs: goesOnWithinMs, facts: counts });
  };

  const finish = async (goneMax = 0): Promise<Verdict> => {
    client.tell('stop');
    await client.heard('done');
    expect(await client.exited).toEqual({ code: 0, signal: null });
    const { accepted } = counts();
    const known = async (): Promise<Readonly<Record<string, number>>> => (await store.history.facets()).views;
    let last: unknown;
    const isDone = async (): Promise<boolean> => {
      const views = await known();
      last = views;
      const { succeeded = 0, failed = 0, ...rest } = views;
      const isOver = succeeded + failed >= accepted - goneMax && Object.values(rest).every((count) => count === 0);
      return isOver && (await store.history.lagMs()) === 0;
    };
    // After a long outage the client sends all that was due meanwhile, and that may be more than the slots do in a minute.
    const withinMs = 60_000 + (2 * accepted * (input.ms ?? 0)) / slots;
    await until(`all ${accepted} are done and recorded`, isDone, { withinMs, facts: () => last });
    const { server, workers } = members;
    const living = workers.filter((worker) => worker.isRunning());
    // Who has nothing but a server says good-bye to it.
    for (const child of options.begin === undefined ? [server, ...living] : [...living, server]) {
      expect(peakMemoryMb(child.pid)).toBeLessThan(memoryMaxMb);
      child.send('SIGTERM');
      expect(await child.exited).toEqual({ code: 0, signal: null });
    }
    context.task.meta.run = counts();
    return judge(options, scenario, { store, database: recordOf(direct) ?? direct.broker });
  };

  const ask = async (...words: readonly string[]) => {
    const command = scenario.command(words, { env });
    const { code } = await command.exited;
    return { output: command.output() + command.complaints(), code };
  };

  await goesOn();
  return { scenario, store, client, members, url, counts, goesOn, ask, finish };
}

function writeTask({ folder }: Scenario): void {
  const work = fileURLToPath(new URL('../e2e/fixtures/work.ts', import.meta.url));
  mkdirSync(join(folder, 'tasks'));
  const text = `import { createWork } from ${JSON.stringify(work)};\nexport const work = createWork(${JSON.stringify(folder)});\n`;
  writeFileSync(join(folder, 'tasks', 'work.mjs'), text);
}

async function beginAtStore(start: Starter): Promise<Members> {
  const server = start(['server', 'start', '--json', '--port', '0']);
  const worker = start(['worker', 'start', '--json', '--concurrency', `${slots}`]);
  const { url } = (await server.heard('ready')) as unknown as { readonly url: string };
  await worker.heard('ready');
  return { server, workers: [worker], url };
}

function createCounts({ folder }: Scenario, client: Child, { workers }: Members) {
  const asked = createTail(join(folder, `${client.pid}.client`));
  const done = new Map<Child, ReturnType<typeof createTail>>();
  let [accepted, refused, ended] = [0, 0, 0];
  return (): Counts => {
    asked.read((line) => {
      accepted += Number(line.includes('"step":"ok"'));
      refused += Number(line.includes('"step":"info"'));
    });
    for (const worker of workers) {
      const tail = done.get(worker) ?? createTail(join(folder, `${worker.pid}.effects`));
      done.set(worker, tail);
      tail.read((line) => {
        ended += Number(line.includes('"what":"end"'));
      });
    }
    return { accepted, refused, ended };
  };
}

/** The most it ever had, where the system tells; else 0. */
function peakMemoryMb(pid: number): number {
  try {
    return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

interface Remains {
  readonly store: Store;
  /** URL of the database with its tasks. */
  readonly database: string;
}

async function judge({ overlapMs = 0 }: RunOptions, { folder }: Scenario, { store, database }: Remains) {
  // Real processes share their processors with other tests.
  const judging = createJudge({ forgets: false, toldWithinMs: 8_000, overlapMs });
  const { policy } = createWork(folder)[definitionBrand];
  for (const entry of readProcesses(folder)) judging.process(entry);
  for (const entry of readClientLog(folder)) judging.client({ ...entry, asked: { ...entry.asked, policy } });
  for (const entry of readEffects(folder)) judging.effect(entry);
  for await (const event of eventsOf(store)) judging.event(event);
  const driver = connectDriver(database, {});
  await driver.open();
  try {
    await showRows(driver, judging);
    await checkIndexes(driver, judging);
  } finally {
    await driver.close();
  }
  return judging.finish();
}

/** All that the store tells of its tasks. */
export async function* eventsOf({ history }: Pick<Store, 'history'>): AsyncIterable<BatchEvent> {
  for (let after = 0; ; ) {
    const page = await history.events(after, 1_000);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

/** What the server says of itself, as far as a scenario looks at it. */
export interface Health {
  readonly status: string;
  readonly lagMs: number;
  readonly record: {
    readonly gap: { readonly from: string | null; readonly to: string; readonly restored: number } | null;
  } | null;
}

export const healthOf = async ({ url }: Pick<Run, 'url'>): Promise<Health> =>
  (await (await fetch(`${url}/api/v1/health`)).json()) as Health;

/** Throws with the first few broken rules and what led to the first. */
export function expectValid({ result, violations, broken, context, doubts }: Verdict): void {
  if (result === 'valid') return;
  const lines = violations.slice(0, 20).map(({ rule, taskId, sentence }) => `${rule} ${taskId ?? ''} ${sentence}`);
  throw new Error([`${result}, ${broken} violations:`, ...doubts, ...lines, 'Before it:', ...context].join('\n'));
}

/** Lets so much time pass: what an outage is made of. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(ms, resolve));
}
