/** Tests that a key for some queues reads nothing of tasks in others and does nothing to them, by whatever they have to do with its own. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bulkStart, readBulkOrder } from '../../src/core/bulk.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { doBulkPage } from '../../src/engine/bulk-page.ts';
import { type Actor, type Operation, perform } from '../../src/operations/operation.ts';
import { type OperationName, operations } from '../../src/operations/registry.ts';
import { newTask } from '../conformance/samples.ts';
import { completeTask } from '../support/operation-samples.ts';
import { createOperationWorld, type OperationWorld } from '../support/operation-world.ts';

const admin: Actor = { name: 'ada', role: 'admin' };
const mailOnly = { name: 'bob', role: 'admin', queues: ['mail'] } as const satisfies Actor;
const refused = { code: 'QUEUE_FORBIDDEN' };

let world: OperationWorld;
let mail: string;
let other: string;
beforeEach(async () => {
  world = await createOperationWorld();
  mail = await enqueue('mail');
  other = await enqueue('billing');
});
afterEach(() => world.close());

async function ask(name: OperationName, input: unknown, actor: Actor = mailOnly): Promise<Record<string, unknown>> {
  const operation = operations[name] as unknown as Operation<unknown, unknown>;
  return (await perform(operation, { ...world.context, actor }, input)) as Record<string, unknown>;
}

async function enqueue(queue: string): Promise<string> {
  return String((await ask('task.enqueue', { name: 'a', queue }, admin)).id);
}

const stateOf = async (id: string) => (await ask('task.get', { id }, admin)).state;

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The id as other programs write it. */
function uuidOf(id: string): string {
  const bits = [...id].reduce((sum, digit) => (sum << 5n) | BigInt(digits.indexOf(digit)), 0n);
  return bits
    .toString(16)
    .padStart(32, '0')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

test.each(['task.get', 'task.cancel', 'task.reveal'] as const)(
  '%s of a task in another queue is refused however its id is written',
  async (name) => {
    const written = [
      other.toLowerCase(),
      ` ${other}`,
      other.replaceAll('0', 'o'),
      other.replaceAll('1', 'l'),
      uuidOf(other),
    ];
    for (const id of written) await expect(ask(name, { id })).rejects.toMatchObject(refused);
  },
);

describe('a link with a task in another queue', () => {
  test('is refused: a claim would bring its result, and a failure would end it', async () => {
    const waits = { name: 'a', queue: 'mail', dependsOn: [mail, { task: other.toLowerCase(), onFailure: 'ignore' }] };
    await expect(ask('task.enqueue', waits)).rejects.toMatchObject(refused);
    await expect(ask('task.enqueue-many', { tasks: [waits], partial: true })).rejects.toMatchObject(refused);
    const complete = { ...completeTask(world.context.ids.next()), queue: 'mail' };
    for (const link of [
      { dependsOn: [{ id: other, onFailure: 'fail' }] },
      { blocks: [{ id: other, onFailure: 'cancel' }] },
      { flowId: other },
    ])
      await expect(ask('worker.enqueue', { worker: 'py-1', tasks: [{ ...complete, ...link }] })).rejects.toMatchObject(
        refused,
      );
    const own = { name: 'a', queue: 'mail', dependsOn: [mail] };
    expect(await ask('task.enqueue', own)).toMatchObject({ state: 'blocked' });
  });

  test('is refused to what a run brings along', async () => {
    await ask('queue.resume', { name: 'mail' });
    const { tasks } = await ask('worker.claim', { worker: 'py-1', token: 'claim-of-mail-1', queues: { mail: 1 } });
    const [{ lease }] = tasks as [{ lease: object }];
    const complete = { ...completeTask(world.context.ids.next()), queue: 'mail' };
    for (const link of ['dependsOn', 'blocks']) {
      const spawn = [{ ...complete, [link]: [{ id: other, onFailure: 'cancel' }] }];
      const outcomes = [{ lease, outcome: 'done', ranMs: 1, spawn }];
      await expect(ask('worker.outcome', { worker: 'py-1', outcomes })).rejects.toMatchObject(refused);
    }
    expect(await stateOf(mail)).toBe('running');
  });
});

test('a task of another queue that holds a key is told of by nothing but that it does', async () => {
  const holder = { name: 'bill', queue: 'billing', key: 'order-1' };
  const { id } = await ask('task.enqueue', holder, admin);
  const asked = { name: 'x', queue: 'mail', key: 'order-1', wait: 1 };
  expect(await ask('task.enqueue', asked, admin)).toMatchObject({ name: 'bill', result: { name: 'bill' } });
  await expect(ask('task.enqueue', asked)).rejects.toMatchObject({ code: 'KEY_CONFLICT', details: { holder: id } });
  await ask('task.enqueue', { name: 'a', queue: 'mail', key: 'letter-1' });
  expect(await ask('task.enqueue', { ...asked, key: 'letter-1' })).toMatchObject({ name: 'a', state: 'queued' });
});

describe('a key that a task of another queue holds', () => {
  let bill: string;
  const taken = { code: 'KEY_CONFLICT' };
  beforeEach(async () => {
    const held = { name: 'bill', queue: 'billing', key: 'order-2', delay: '1h' };
    bill = String((await ask('task.enqueue', held, admin)).id);
  });
  afterEach(async () => expect(await stateOf(bill)).toBe('scheduled'));

  test.each(['replace', 'debounce'] as const)('is not taken from it by %s', async (ifExists) => {
    const taking = { name: 'x', queue: 'mail', key: 'order-2', ifExists, delay: '1m' };
    await expect(ask('task.enqueue', taking)).rejects.toMatchObject(taken);
    for (const partial of [true, false]) {
      const tasks = [taking, { name: 'x', queue: 'mail' }];
      expect(await ask('task.enqueue-many', { tasks, partial })).toMatchObject({
        tasks: [{ outcome: 'conflict', problem: taken }, { outcome: 'created' }],
      });
    }
    const complete = { ...completeTask(world.context.ids.next()), queue: 'mail', key: 'order-2', ifExists };
    expect(await ask('worker.enqueue', { worker: 'py-1', tasks: [complete] })).toMatchObject({
      results: [{ outcome: 'conflict', of: bill }],
    });
    const own = { ...taking, key: 'letter-2' };
    await ask('task.enqueue', own);
    expect(await ask('task.enqueue', own)).toMatchObject({ outcome: 'replaced' });
  });

  test('lets nobody wait for it in place of a task of the same call', async () => {
    const id = world.context.ids.next();
    const waits = { name: 'y', queue: 'mail', dependsOn: [id] };
    const tasks = (key: string) => [{ id, name: 'x', queue: 'mail', key }, waits];
    await expect(ask('task.enqueue-many', { tasks: tasks('order-2') })).rejects.toMatchObject({ code: 'INVALID_FLOW' });
    const complete = { ...completeTask(id), queue: 'mail', key: 'order-2', blocks: [{ id: mail, onFailure: 'fail' }] };
    expect(await ask('worker.enqueue', { worker: 'py-1', tasks: [complete] })).toMatchObject({
      results: [{ outcome: 'conflict', of: bill }],
    });
    expect(await stateOf(mail)).toBe('queued');
    expect(await ask('task.enqueue-many', { tasks: tasks('letter-3') })).toMatchObject({ created: 2 });
  });
});

test('a key is not taken from a task of another queue that comes in the same moment', async () => {
  const holder = { name: 'bill', queue: 'billing', key: 'order-3', delay: '1h' };
  const taking = { name: 'x', queue: 'mail', key: 'order-3', ifExists: 'replace' };
  const [held, taken] = await Promise.allSettled([ask('task.enqueue', holder, admin), ask('task.enqueue', taking)]);
  expect(held).toMatchObject({ status: 'fulfilled', value: { outcome: 'created' } });
  expect(taken).toMatchObject({ status: 'rejected', reason: { code: 'KEY_CONFLICT' } });
});

test('an id that a task of another queue has tells nothing of it, also to who knows what is in it', async () => {
  const bill = { id: world.context.ids.next(), name: 'bill', queue: 'billing', input: { amount: 5 } };
  await ask('task.enqueue', bill, admin);
  const guess = { ...bill, queue: 'mail', wait: 1 };
  await expect(ask('task.enqueue', guess)).rejects.toMatchObject({ code: 'ID_CONFLICT' });
});

describe('a link with a task that is nowhere yet', () => {
  test('is refused with it, since it may come in another queue', async () => {
    const dependsOn = [world.context.ids.next()];
    const waits = { name: 'a', queue: 'mail', dependsOn };
    const nowhere = { code: 'INVALID_FLOW' };
    await expect(ask('task.enqueue', waits)).rejects.toMatchObject(nowhere);
    await expect(ask('task.enqueue-many', { tasks: [waits] })).rejects.toMatchObject(nowhere);
    const complete = { ...completeTask(world.context.ids.next()), queue: 'mail' };
    const links = { dependsOn: dependsOn.map((id) => ({ id, onFailure: 'ignore' })) };
    await expect(ask('worker.enqueue', { worker: 'py-1', tasks: [{ ...complete, ...links }] })).rejects.toMatchObject(
      nowhere,
    );
  });

  test('leads what a run brings along to nothing, whoever comes with that id', async () => {
    await ask('queue.resume', { name: 'mail' });
    const { tasks } = await ask('worker.claim', { worker: 'py-1', token: 'claim-of-mail-2', queues: { mail: 1 } });
    const [{ lease }] = tasks as [{ lease: object }];
    const [foreign = '', child = ''] = world.context.ids.many(2);
    const link = [{ id: foreign, onFailure: 'ignore' }];
    const spawn = [{ ...completeTask(child), queue: 'mail', dependsOn: link, blocks: link }];
    const outcomes = [{ lease, outcome: 'done', ranMs: 1, spawn }];
    await ask('worker.outcome', { worker: 'py-1', outcomes });
    await ask('task.enqueue', { id: foreign, name: 'bill', queue: 'billing' }, admin);
    expect([await stateOf(child), await stateOf(foreign)]).toEqual(['queued', 'queued']);
    const [stored] = await world.context.store.broker.getTasks([child]);
    expect(stored?.dependsOn).toMatchObject([{ taskId: expect.not.stringMatching(foreign) }]);
  });
});

describe('a flow that stands in mail', () => {
  async function flowWith(queue: string): Promise<readonly [flowId: string, member: string]> {
    const { ids, store } = world.context;
    const [flowId = '', member = ''] = ids.many(2);
    await store.broker.enqueue([newTask(flowId, { queue: 'mail', flowId }), newTask(member, { queue, flowId })]);
    return [flowId, member];
  }

  /** What comes of the first page of a bulk operation. */
  async function doneBy(made: Record<string, unknown>) {
    const { broker, history } = world.context.store;
    const [task] = await broker.getTasks([(made.operation as { id: string }).id]);
    const order = readBulkOrder(task!.payload);
    const run = { order, filter: parseFilter(order.filter), askedAt: task!.createdAt };
    return doBulkPage({ broker, history }, run, bulkStart, 100);
  }

  test('with a task elsewhere is not cancelled, by one, by several or by a bulk operation', async () => {
    const [flowId, member] = await flowWith('billing');
    await expect(ask('task.cancel', { id: flowId })).rejects.toMatchObject(refused);
    const { tasks } = await ask('task.cancel-many', { ids: [flowId, mail] });
    expect(tasks).toMatchObject([{ outcome: 'forbidden' }, { outcome: 'cancelled' }]);
    for (const which of [{ ids: [flowId] }, { q: `id:${flowId}` }])
      expect(await doneBy(await ask('operation.create', { verb: 'cancel', ...which, delay: 0 }))).toMatchObject({
        refused: 1,
        failures: [{ taskId: flowId, outcome: 'forbidden' }],
      });
    expect([await stateOf(flowId), await stateOf(member)]).toEqual(['queued', 'queued']);
  });

  test('is cancelled where all of it is in mail', async () => {
    for (const name of ['task.cancel', 'task.cancel-many', 'operation.create'] as const) {
      const [flowId, member] = await flowWith('mail');
      const input = { 'task.cancel': { id: flowId }, 'task.cancel-many': { ids: [flowId] } };
      const bulk = { verb: 'cancel', ids: [flowId], delay: 0 };
      const answer = await ask(name, name === 'operation.create' ? bulk : input[name]);
      if (name === 'operation.create') await doneBy(answer);
      expect([name, await stateOf(member)]).toEqual([name, 'cancelled']);
    }
  });
});

test('a page of tasks does not tell by its cursor what is in tasks of other queues', async () => {
  for (const iban of ['DE11', 'DE12'])
    await ask('task.enqueue', { name: 'b', queue: 'billing', input: { iban } }, admin);
  await ask('task.enqueue', { name: 'b', queue: 'mail', input: { iban: 'DE13' } });
  for (const q of ['queue:billing input.iban:DE1*', 'name:b input.iban:DE11,DE12', 'queue:billing'])
    for (const queues of [['mail'], ['ma*', 'post.*'], []])
      expect(await ask('task.list', { q, limit: 1 }, { ...mailOnly, queues })).toEqual({
        tasks: [],
        next: null,
        scanned: 'all',
      });
  const found = { tasks: [{ queue: 'mail' }], next: null };
  expect(await ask('task.list', { q: 'input.iban:DE1*', limit: 1 })).toMatchObject(found);
  expect(await ask('task.list', { q: 'name:b' }, { ...mailOnly, queues: ['*l'] })).toMatchObject(found);
  for (const queues of [['*l'], ['m*l', '*.eu']])
    expect(await ask('task.list', { q: 'input.iban:DE1*', limit: 1 }, { ...mailOnly, queues })).toMatchObject(found);
  const hidden = { q: 'input.iban:DE11,DE12', limit: 1 };
  const nothing = { tasks: [], next: null, scanned: 'all' };
  expect(await ask('task.list', hidden, { ...mailOnly, queues: ['*l'] })).toEqual(nothing);
});

test('a search that stops at a task of another queue tells no more of it than when it was', async () => {
  const { history } = world.context.store;
  const [own = '', older = '', asked = ''] = world.context.ids.many(3);
  const page = { tasks: [], scanned: 'newest' } as const;
  const stopping = { ...world.context.store, history: { ...history, search: async () => ({ ...page, next: older }) } };
  const list = (actor: Actor, after: string) =>
    perform(operations['task.list'], { ...world.context, store: stopping, actor }, { after });
  expect(await list(admin, asked)).toMatchObject({ next: older });
  const { next } = await list(mailOnly, asked);
  expect(next).not.toBe(older);
  expect(next! > older && next! < asked).toBe(true);
  // A page must lead on, whatever ids there are.
  expect(await list(mailOnly, own)).toMatchObject({ next: older });
});
