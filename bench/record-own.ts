/**
 * One measurement of a record in one database, in a process of its own: `lives` records each task once, as it ended; `twice` also
 * when it was enqueued; `bare` stores the same rows, and nothing else, by INSERTs of many. Usage: node bench/record-own.ts URL TASKS PART
 */

import process from 'node:process';
import type { TaskBody } from '../src/broker/broker.ts';
import { createRecordDatabase } from '../src/broker/record-database.ts';
import { manyStatement, type SqlRow } from '../src/broker/sql/driver.ts';
import { wholeColumns, wholeRow } from '../src/broker/sql/whole-row.ts';
import type { BatchEvent } from '../src/core/events.ts';
import { systemClock } from '../src/core/time.ts';
import { createSqlRecording } from '../src/history/recording/sql-recording.ts';
import { benchTask } from './samples.ts';

/** Tasks of a batch of the recorder, and items of one event of the live store. */
const batchSize = 5_000;
const eventSize = 500;
const bareSize = 1_000;

const [url = '', count = '', part = ''] = process.argv.slice(2);
const tasks = Number(count);
const database = createRecordDatabase(url, { folder: '.', namespace: 'bench' });
await database.open();
const { driver } = database;
const batches = Array.from({ length: Math.ceil(tasks / batchSize) }, () => Array.from({ length: batchSize }, queued));
const measure = part === 'bare' ? bare : () => record(part === 'twice');
const before = process.cpuUsage();
const rate = await perSecond(measure);
const { user, system } = process.cpuUsage(before);
await database.close();
console.log(JSON.stringify({ rate, cpu: (user + system) / tasks }));

/** As it was enqueued. */
function queued(): TaskBody {
  const { delayMs: _delay, at: _at, startWithinMs: _start, expiresInMs: _life, blocks: _blocks, ...task } = benchTask();
  const now = systemClock.now();
  const none = { epoch: 0, attempt: 0, crashes: 0, interruptions: 0, snoozes: 0 };
  const times = { claimedAt: null, startedAt: null, finishedAt: null, pruneAt: null, startBy: null, expiresAt: null };
  const run = { workerId: null, leaseUntil: null, cancelRequestedAt: null, cancelReason: null, progress: null };
  const ends = { checkpoints: [], result: null, error: null, reason: null };
  return {
    task: {
      ...task,
      ...none,
      ...times,
      ...run,
      ...ends,
      state: 'queued',
      version: 1,
      generation: 1,
      createdAt: now,
      dueAt: now,
    },
    attempts: [],
    logs: [],
  };
}

function succeeded({ task }: TaskBody): TaskBody {
  const at = task.createdAt + 10;
  const run = { epoch: 1, attempt: 1, workerId: '01K8Q2M4ZJWORKER0000000000', claimedAt: at, startedAt: at };
  const end = { state: 'succeeded', version: 3, finishedAt: at + 1, pruneAt: at + 3 * 86_400_000 } as const;
  return { task: { ...task, ...run, ...end, result: '{"ok":true}' }, attempts: [], logs: [] };
}

/** As the live store tells it: an event for each of its calls. */
function eventsOf(kind: BatchEvent['kind'], bodies: readonly TaskBody[], from: number): readonly BatchEvent[] {
  const steps = { enqueue: [null, 'queued'], claim: ['queued', 'running'], settle: ['running', 'succeeded'] } as const;
  const [before, to] = steps[kind as keyof typeof steps];
  const version = kind === 'enqueue' ? 1 : kind === 'claim' ? 2 : 3;
  return Array.from({ length: bodies.length / eventSize }, (_each, index) => ({
    seq: from + index + 1,
    at: systemClock.now(),
    kind,
    items: bodies.slice(index * eventSize, (index + 1) * eventSize).map(({ task }) => {
      return {
        taskId: task.id,
        name: task.name,
        queue: task.queue,
        version,
        from: before,
        to,
        reason: null,
        attempt: 1,
      };
    }),
  }));
}

async function record(isTwice: boolean): Promise<void> {
  const recording = createSqlRecording(driver);
  await recording.follow({ incarnation: null, seq: 0 }, { incarnation: 'bench', seq: 0 }, null);
  let seq = 0;
  const take = async (kinds: readonly BatchEvent['kind'][], bodies: readonly TaskBody[]): Promise<void> => {
    const events: BatchEvent[] = [];
    for (const kind of kinds) events.push(...eventsOf(kind, bodies, seq + events.length));
    const upTo = seq + events.length;
    if (!(await recording.record({ incarnation: 'bench', after: seq, upTo, events, bodies })))
      throw new Error('It was recorded before');
    seq = upTo;
  };
  for (const bodies of batches) {
    if (isTwice) await take(['enqueue'], bodies);
    await take(isTwice ? ['claim', 'settle'] : ['enqueue', 'claim', 'settle'], bodies.map(succeeded));
  }
}

async function bare(): Promise<void> {
  const names = Object.keys(wholeColumns);
  const insert = manyStatement('bare', {}, wholeColumns, (value, from) => {
    const values: Readonly<Record<string, string>> = value;
    return `INSERT INTO tasks (${names.join(', ')}) SELECT ${names.map((name) => values[name]).join(', ')} ${from}`;
  });
  for (const bodies of batches) {
    const rows: readonly SqlRow[] = bodies.map(succeeded).map(({ task }) => wholeRow(task, null, null));
    await driver.transaction(async (tx) => {
      const sent: Promise<unknown>[] = [];
      for (let begin = 0; begin < rows.length; begin += bareSize)
        sent.push(tx.many(insert, [], rows.slice(begin, begin + bareSize)));
      await Promise.all(sent);
    });
  }
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const startedAt = systemClock.elapsed();
  await work();
  return ((batches.length * batchSize) / (systemClock.elapsed() - startedAt)) * 1_000;
}
