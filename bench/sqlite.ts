/** The SQLite broker beside the bare script in one run: bulk enqueue, and claim with settle, as ratios. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteBroker } from '../src/broker/sqlite/store.ts';
import { createToken, systemChance } from '../src/core/chance.ts';
import { createIds } from '../src/core/ids.ts';
import { defaultPolicy, encodePolicy } from '../src/core/policy.ts';
import type { ClaimedTask, NewTask, Settlement } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';

const tasks = Number(process.argv[2] ?? 100_000);
const enqueueBatch = 500;
const claimBatch = Number(process.argv[3] ?? 100);

interface Rates {
  readonly enqueue: number;
  readonly settle: number;
}

const folder = mkdtempSync(join(tmpdir(), 'taskflow-bench-'));
try {
  const before = runBare();
  const own = await runOwn();
  const after = runBare();
  const bare = { enqueue: (before.enqueue + after.enqueue) / 2, settle: (before.settle + after.settle) / 2 };
  console.log(
    `SQLite FULL, ${tasks} tasks, enqueued by ${enqueueBatch}, claimed and settled by ${claimBatch}, per second:`,
  );
  console.table({
    'bulk enqueue': row(bare.enqueue, own.enqueue),
    'claim and settle': row(bare.settle, own.settle),
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function row(bare: number, own: number): Record<string, number> {
  return { bare: Math.round(bare), TaskFlow: Math.round(own), ratio: Number((own / bare).toFixed(2)) };
}

/** The yardstick, as its own process: no features, no fences, no history. */
function runBare(): Rates {
  const script = join(import.meta.dirname, 'bare/sqlite.mjs');
  const { stdout } = spawnSync(process.execPath, [script, join(folder, 'bare.db')], { encoding: 'utf8' });
  const read = (label: string): number => Number(new RegExp(`${label} (\\d+)`).exec(stdout)?.[1]);
  return { enqueue: read('insert/s batch500'), settle: read('claim\\+complete/s batch100') };
}

async function runOwn(): Promise<Rates> {
  const broker = createSqliteBroker({ file: join(folder, 'own.db') });
  await broker.open();
  const batches = makeBatches();
  const enqueued = await perSecond(async () => {
    for (const batch of batches) await broker.enqueue(batch);
  });
  const settled = await perSecond(async () => {
    let claimed = await broker.claim(request());
    while (claimed.length > 0) claimed = (await broker.settle(claimed.map(succeed), request())).claimed;
  });
  await broker.close();
  return { enqueue: enqueued, settle: settled };
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const start = systemClock.elapsed();
  await work();
  return (tasks / (systemClock.elapsed() - start)) * 1_000;
}

function request() {
  return {
    workerId: '01K8Q2M4ZJWORKER0000000000',
    token: createToken(systemChance),
    queues: [{ name: 'default', limit: claimBatch }],
    limit: claimBatch,
    leaseMs: 30_000,
  };
}

function succeed(claimed: ClaimedTask): Settlement {
  return {
    lease: claimed.lease,
    ranMs: 0,
    progress: null,
    logs: [],
    spawn: [],
    verdict: { to: 'succeeded', reason: null, charge: 'attempt', keepMs: 259_200_000, result: 'null', error: null },
  };
}

function makeBatches(): readonly (readonly NewTask[])[] {
  const payload = JSON.stringify({ to: 'a@b.c', n: 1, s: 'x'.repeat(100) });
  const ids = createIds(systemClock, systemChance);
  const task = (): NewTask => ({
    id: ids.next(),
    name: 'noop',
    queue: 'default',
    payload,
    policy: encodePolicy(defaultPolicy),
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: 3_600_000,
    keepMs: 2_592_000_000,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
  });
  return Array.from({ length: Math.ceil(tasks / enqueueBatch) }, () => Array.from({ length: enqueueBatch }, task));
}
