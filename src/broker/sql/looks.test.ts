/** Tests of the calls that only look: what they cost, and that they see what anybody has stored. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  claimRequest,
  heartbeatRequest,
  newTask,
  overdueRequest,
  sampleId,
} from '../../../test/conformance/samples.ts';
import { systemChance } from '../../core/chance.ts';
import { systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import { createSqliteDriver, type SqliteDriver } from '../sqlite/driver.ts';
import type { SqlDriver } from './driver.ts';
import { migrate } from './migrate.ts';
import { createSqlBroker } from './sql-broker.ts';

let folder: string;
const drivers: SqliteDriver[] = [];
/** What passed, by broker: the names of single statements, and `transaction` or `read` for whatever has a BEGIN. */
type Seen = string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-looks-'));
});
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A broker as another process has it: connections of its own to the same file. */
async function openBroker(seen: Seen = []): Promise<Broker> {
  const file = join(folder, 'store.db');
  const driver = createSqliteDriver({ file, now: systemClock.now, clock: systemClock, chance: systemChance });
  drivers.push(driver);
  await driver.open();
  await migrate(driver, systemChance);
  const noted = (name: string, used: SqliteDriver): SqliteDriver => {
    seen.push(name);
    return used;
  };
  const noting: SqlDriver = {
    ...driver,
    transaction: (work) => noted('transaction', driver).transaction(work),
    read: (work) => noted('read', driver).read(work),
    readOne: (statement, ...values) => noted(statement.name, driver).readOne(statement, ...values),
    writeOne: (statement, ...values) => noted(statement.name, driver).writeOne(statement, ...values),
  };
  const { durability } = driver;
  const broker = createSqlBroker({
    driver: noting,
    chance: systemChance,
    kind: 'sqlite',
    open: async () => {},
    close: async () => {},
    durability,
  });
  await broker.open();
  seen.length = 0;
  return broker;
}

test('calls of an idle process that find nothing are one statement each', async () => {
  const seen: Seen = [];
  const broker = await openBroker(seen);
  await broker.claim(claimRequest('first'));
  seen.length = 0;

  await broker.claim(claimRequest('second'));
  await broker.heartbeat(heartbeatRequest([]));
  await broker.promote(10);
  await broker.claimOverdue(overdueRequest('judge'));
  await broker.getWorkers();

  expect(seen).toEqual(['look_claimable', 'announce_worker', 'look_due', 'look_overdue', 'all_workers']);
});

test('a claim that only looks finds what another process has stored', async () => {
  const here = await openBroker();
  const there = await openBroker();
  expect(await here.claim(claimRequest('a'))).toEqual([]);
  await there.enqueue([newTask(sampleId(1))]);

  const plain = await here.claim(claimRequest('b'));
  await here.claim(claimRequest('c'));
  await there.enqueue([newTask(sampleId(2), { group: 'g' })]);
  const grouped = await here.claim(claimRequest('d'));

  expect([...plain, ...grouped].map(({ task }) => task.id)).toEqual([sampleId(1), sampleId(2)]);
});

test('a claim whose answer was lost is answered again, although nothing is queued any more', async () => {
  const here = await openBroker();
  const there = await openBroker();
  await there.enqueue([newTask(sampleId(1))]);
  const lost = await there.claim(claimRequest('lost'));
  expect(await here.claim(claimRequest('other'))).toEqual([]);

  const again = await here.claim(claimRequest('lost'));

  expect(again.map(({ lease }) => lease)).toEqual(lost.map(({ lease }) => lease));
});

test('a look for what is due or overdue sees what another process has left', async () => {
  const here = await openBroker();
  const there = await openBroker();
  expect(await here.promote(10)).toEqual({ promoted: 0, nextInMs: null });
  expect(await here.claimOverdue(overdueRequest('j'))).toEqual([]);
  await there.enqueue([newTask(sampleId(1), { delayMs: 60_000 }), newTask(sampleId(2), { queue: 'other' })]);
  await there.claim(claimRequest('t', { queues: [{ name: 'other', limit: 1 }], workerId: 'gone' }));

  const { promoted, nextInMs } = await here.promote(10);
  const overdue = await here.claimOverdue(overdueRequest('j', { deadWorkers: ['gone'] }));

  expect(promoted).toBe(0);
  expect(nextInMs).toBeGreaterThan(50_000);
  expect(overdue.map(({ task, reason }) => [task.id, reason])).toEqual([[sampleId(2), 'lease_expired']]);
});

test('a heartbeat without leases hears the commands that wait, and of servers in other processes', async () => {
  const here = await openBroker();
  const there = await openBroker();
  const idle = heartbeatRequest([]);
  const { workerId } = idle.worker;
  expect(await here.heartbeat(idle)).toMatchObject({ commands: [], noServer: true });
  await there.control([workerId], { kind: 'drain' });
  await there.heartbeat({ ...idle, worker: { ...idle.worker, workerId: 'server', server: true } });

  const told = await here.heartbeat(idle);
  const confirmed = await here.heartbeat({ ...idle, heard: told.commands[0]?.id ?? 0 });

  expect(told).toMatchObject({ commands: [{ command: { kind: 'drain' } }], noServer: false });
  expect(confirmed.commands).toEqual([]);
});

test('the time of a heartbeat is never behind what another process has stored', async () => {
  const broker = await openBroker();
  const [driver] = drivers;
  const ahead = systemClock.now() + 3_600_000;
  await driver?.transaction((tx) =>
    tx.execute(`INSERT INTO events (at, kind, items) VALUES (${ahead}, 'configure', '[]')`),
  );

  const { now } = await broker.heartbeat(heartbeatRequest([]));

  expect(now).toBe(ahead);
  expect((await broker.getWorkers()).map(({ beatAt }) => beatAt)).toEqual([ahead]);
});
