/** Limits from the definition to the gate: rendered by an enqueue by name, kept by the store, explained to people. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { claimRequest, finish, heartbeatRequest, presence, settlement } from '../../test/conformance/samples.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createSqliteBroker } from '../broker/sqlite/store.ts';
import { task } from '../client/define.ts';
import { seededChance } from '../core/chance.ts';
import { definitionOf } from '../core/definition.ts';
import type { Store } from '../history/history.ts';
import { createSqlHistory } from '../history/sql-history.ts';
import { publishedDefinition } from '../worker/presence.ts';
import { createContext } from './context.ts';
import { enqueueByName } from './enqueue.ts';
import type { OperationContext } from './operation.ts';
import { taskExplain } from './task.ts';
import { taskDocument } from './task-document.ts';

const charge = task('card.charge', {
  input: z.object({ customer: z.string() }),
  concurrency: { limit: 1, key: '{customer}' },
  rateLimit: { limit: 2, per: '1m' },
  run: () => {},
});

const clock = createManualClock();
let broker: ReturnType<typeof createSqliteBroker>;
let context: OperationContext;
let claims = 0;

beforeEach(async () => {
  broker = createSqliteBroker({ file: ':memory:', clock, now: clock.now, chance: seededChance(1) });
  await broker.open();
  await pass(0);
  const store: Store = { broker, history: createSqlHistory(broker.driver, clock), close: () => broker.close() };
  context = createContext({ store, actor: { name: 'ada', role: 'admin' } as OperationContext['actor'], clock });
});

afterEach(() => broker.close());

/** Lets time pass for a worker that beats. */
async function pass(ms: number): Promise<void> {
  await clock.advance(ms);
  const definition = definitionOf(charge);
  if (definition === null) throw new Error('a task has a definition');
  const definitions = [publishedDefinition(definition, null)];
  await broker.heartbeat(heartbeatRequest([], { worker: presence({ taskNames: ['card.charge'], definitions }) }));
}

async function enqueue(customer: string): Promise<string> {
  return (await enqueueByName(context, { name: 'card.charge', input: { customer } })).id;
}

async function claim() {
  claims += 1;
  return await broker.claim(claimRequest(`claim-${claims}`));
}

async function gates(id: string) {
  return (await taskExplain.run(context, { id })).gates;
}

test('an enqueue by name renders the limits that the worker publishes', async () => {
  const id = await enqueue('acme');
  const [stored] = await broker.getTasks([id]);
  expect(stored && taskDocument(stored).limits).toEqual([
    { name: 'card.charge:acme', max: 1, rate: null },
    { name: 'card.charge', max: null, rate: { count: 2, perMs: 60_000 } },
  ]);
});

test('a full limit is a gate that names its holder, and opens when that ends', async () => {
  const first = await enqueue('acme');
  const second = await enqueue('acme');
  const other = await enqueue('beta');
  const claimed = await claim();
  expect(claimed.map(({ task: { id } }) => id)).toEqual([first, other]);
  await pass(60_000);
  const [full, ...more] = await gates(second);
  expect(full).toEqual({
    code: 'limit',
    sentence: `Limit card.charge:acme is full: 1/1 held by ${first.slice(0, 16)} (running 1 m).`,
    holder: first,
    earliestAt: null,
    command: `taskflow explain ${first}`,
  });
  expect(more).toEqual([]);
  const token = claimed[0]?.lease.token ?? '';
  await broker.settle([settlement(first, token, finish('succeeded'))]);
  expect(await gates(second)).toEqual([]);
  expect((await claim()).map(({ task: { id } }) => id)).toEqual([second]);
});

test('a raised maximum opens the gate', async () => {
  await enqueue('acme');
  const second = await enqueue('acme');
  await claim();
  await broker.configure('limit', 'card.charge:acme', { max: 2 });
  expect(await gates(second)).toEqual([]);
});

test('a used up rate is a gate with the time of the next start', async () => {
  const ids = [await enqueue('a'), await enqueue('b'), await enqueue('c')];
  expect(await claim()).toHaveLength(2);
  const [spent] = await gates(ids[2] ?? '');
  expect(spent).toMatchObject({
    code: 'rate',
    sentence: 'The rate of card.charge is used up; the next start is allowed in 30 s.',
    earliestAt: new Date(clock.now() + 30_000).toISOString(),
  });
  await pass(30_000);
  expect(await gates(ids[2] ?? '')).toEqual([]);
  expect((await claim()).map(({ task: { id } }) => id)).toEqual([ids[2]]);
});
