/** Every gate of groups, limits and queues: provoked in a store, explained, and opened by the command it names. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { claimRequest, heartbeatRequest, presence } from '../../test/conformance/samples.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createSqliteBroker } from '../broker/sqlite/store.ts';
import { task } from '../client/define.ts';
import { seededChance } from '../core/chance.ts';
import { definitionOf } from '../core/definition.ts';
import type { GateCode } from '../core/explain.ts';
import { isoTime } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { createSqlHistory } from '../history/sql-history.ts';
import { publishedDefinition } from '../worker/presence.ts';
import { createContext } from './context.ts';
import { enqueueByName } from './enqueue.ts';
import { groupList, groupPause, groupResume, groupWeight } from './group.ts';
import { limitList, limitPause, limitResume, limitSet } from './limit.ts';
import { type Operation, type OperationContext, perform } from './operation.ts';
import { queueLimit, queueList } from './queue.ts';
import { taskExplain } from './task.ts';

const bill = task('bill.send', {
  input: z.object({ customer: z.string() }),
  group: '{customer}',
  concurrency: { limit: 5, key: '{customer}' },
  run: () => {},
});

const clock = createManualClock();
let broker: ReturnType<typeof createSqliteBroker>;
let context: OperationContext;
let claims = 0;

beforeEach(async () => {
  broker = createSqliteBroker({ file: ':memory:', clock, now: clock.now, chance: seededChance(1) });
  await broker.open();
  const definition = definitionOf(bill);
  const definitions = definition === null ? [] : [publishedDefinition(definition, null)];
  await broker.heartbeat(heartbeatRequest([], { worker: presence({ taskNames: ['bill.send'], definitions }) }));
  const store: Store = { broker, history: createSqlHistory(broker.driver, clock), close: () => broker.close() };
  context = createContext({ store, actor: { name: 'ada', role: 'admin' }, clock });
});

afterEach(() => broker.close());

async function enqueue(customer: string, options: object = {}): Promise<string> {
  return (await enqueueByName(context, { name: 'bill.send', input: { customer }, ...options })).id;
}

function claim(limit = 100) {
  claims += 1;
  return broker.claim(claimRequest(`claim-${claims}`, { limit }));
}

function ask<Input, Output>(operation: Operation<Input, Output>, input: unknown): Promise<Output> {
  return perform(operation, context, input);
}

async function gateOf(id: string, code: GateCode) {
  return (await taskExplain.run(context, { id })).gates.find((gate) => gate.code === code);
}

test('group_paused: opened by resuming the group', async () => {
  const id = await enqueue('acme');
  await ask(groupPause, { name: 'acme', reason: 'they asked for it' });
  expect(await claim()).toEqual([]);
  expect(await gateOf(id, 'group_paused')).toMatchObject({ holder: 'ada', command: 'taskflow group resume acme' });
  await ask(groupResume, { name: 'acme' });
  expect(await gateOf(id, 'group_paused')).toBeUndefined();
  expect(await claim()).toHaveLength(1);
});

test('limit_paused: opened by resuming the limit', async () => {
  const id = await enqueue('acme');
  await ask(limitPause, { name: 'bill.send:acme' });
  expect(await claim()).toEqual([]);
  expect(await gateOf(id, 'limit_paused')).toMatchObject({ command: 'taskflow limit resume bill.send:acme' });
  expect(await ask(limitResume, { name: 'bill.send:acme' })).toMatchObject({ state: 'active' });
  expect(await claim()).toHaveLength(1);
});

test('queue_limit: opened by one slot more', async () => {
  const first = await enqueue('a');
  const id = await enqueue('a');
  await enqueue('b');
  await ask(queueLimit, { name: 'default', max: 2 });
  await claim();
  expect(await gateOf(id, 'queue_limit')).toMatchObject({
    holder: first,
    command: 'taskflow queue limit default --max 3',
  });
  await ask(queueLimit, { name: 'default', max: 3 });
  expect(await gateOf(id, 'queue_limit')).toBeUndefined();
  expect(await claim()).toHaveLength(1);
});

test('queue_rate: opens by itself at the time it tells', async () => {
  const id = (await Promise.all(['a', 'a', 'a'].map((customer) => enqueue(customer)))).at(-1) ?? '';
  await ask(queueLimit, { name: 'default', rate: { limit: 2, per: '10s' } });
  const { now } = await broker.info();
  expect(await claim()).toHaveLength(2);
  const gate = await gateOf(id, 'queue_rate');
  expect(gate).toMatchObject({ earliestAt: isoTime(now + 5_000), command: 'taskflow queue limit default --rate none' });
  await clock.advance(5_000);
  expect(await claim()).toHaveLength(1);
});

test('group_turn: names the group before it, and opens when its turn has come', async () => {
  await enqueue('a');
  const id = await enqueue('b');
  expect(await gateOf(id, 'group_turn')).toMatchObject({
    sentence: 'Group "b" is served after "a" in queue "default".',
    command: 'taskflow group weight b 2',
  });
  await claim(1);
  expect(await gateOf(id, 'group_turn')).toBeUndefined();
});

test('what was configured is listed by pages, and what was taken away is gone', async () => {
  for (const name of ['c', 'a', 'b']) await ask(groupWeight, { name, weight: 3 });
  const first = await ask(groupList, { limit: 2 });
  expect(first).toMatchObject({ groups: [{ name: 'a', weight: 3 }, { name: 'b' }], next: 'c' });
  expect(await ask(groupList, { from: first.next })).toMatchObject({ groups: [{ name: 'c' }], next: null });
  expect(await ask(groupWeight, { name: 'c', weight: null })).toMatchObject({ weight: 1 });
  await enqueue('acme');
  await claim();
  await ask(limitSet, { name: 'z', max: 7, rate: { limit: 5, per: '1s' } });
  expect(await ask(limitList, {})).toMatchObject({
    limits: [
      { name: 'bill.send:acme', max: null, running: 1 },
      { name: 'z', max: 7, rate: { count: 5, perMs: 1_000 }, running: 0 },
    ],
    next: null,
  });
  await ask(queueLimit, { name: 'default', max: 4 });
  expect((await ask(queueList, {})).queues).toMatchObject([{ name: 'default', max: 4, rate: null }]);
});

test.each<[what: string, operation: { readonly name: string }, input: object]>([
  ['a weight of 0', groupWeight, { name: 'a', weight: 0 }],
  ['half a weight', groupWeight, { name: 'a', weight: 1.5 }],
  ['a max of 0', limitSet, { name: 'a', max: 0 }],
  ['a rate without a time', limitSet, { name: 'a', rate: { limit: 5 } }],
  ['a rate that is never met', queueLimit, { name: 'default', rate: { limit: 5, per: '400d' } }],
  ['a group without a name', groupPause, { name: '' }],
])('%s is refused with the path', async (_what, operation, input) => {
  await enqueue('acme');
  await expect(ask(operation as Operation<unknown, unknown>, input)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
});
