/** Tests that queues are not made without end, and that those there are cost no query. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createOperationWorld } from '../../test/support/operation-world.ts';
import type { TaskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Operation, perform } from './operation.ts';
import { createQueueNames } from './queue-names.ts';
import { type OperationName, operations } from './registry.ts';

function rig(stored: string[], max: number) {
  const clock = createManualClock();
  const looks = { count: 0 };
  const getQueues = async () => {
    looks.count += 1;
    return stored.map((name) => ({ name })) as never;
  };
  return { clock, looks, names: createQueueNames({ getQueues }, clock, max) };
}

const full = { code: 'TOO_MANY_QUEUES', status: 409 };

test('a queue that is there is always good, and looked up once', async () => {
  const { names, looks } = rig(['a', 'b'], 2);
  await Promise.all([names.check('a'), names.check('b'), names.check('a')]);
  expect([names.check('a'), names.check('b'), looks.count]).toEqual([null, null, 1]);
});

test('new ones are good until there are too many, and no look is made for each', async () => {
  const { names, looks } = rig(['a'], 3);
  await names.check('b');
  await names.check('c');
  await expect(names.check('d')).rejects.toMatchObject(full);
  await expect(names.check('e')).rejects.toMatchObject(full);
  expect([names.check('c'), looks.count]).toEqual([null, 1]);
});

test('those that have gone make room', async () => {
  const stored = ['a', 'b'];
  const { names, clock } = rig(stored, 2);
  await expect(names.check('c')).rejects.toMatchObject(full);
  stored.pop();
  await expect(names.check('c')).rejects.toMatchObject(full);
  await clock.advance(limits.queueNamesMs);
  await names.check('c');
  await expect(names.check('b')).rejects.toMatchObject(full);
});

test.each<[OperationName, object]>([
  ['task.move', {}],
  ['task.update', {}],
  ['task.update-many', {}],
  ['operation.create', { verb: 'move', q: 'queue:default' }],
  ['operation.create', { verb: 'move', q: 'queue:default', dryRun: true }],
])('nothing is moved to one too many: %s %j', async (name, more) => {
  const world = await createOperationWorld();
  const getQueues = async () => [{ name: 'default' }] as never;
  const context = { ...world.context, queueNames: createQueueNames({ getQueues }, world.context.clock, 1) };
  const id = await world.enqueue();
  const named = name.endsWith('-many') ? { ids: [id] } : name === 'operation.create' ? {} : { id };
  const move = (queue: string) =>
    perform(operations[name] as unknown as Operation<unknown, unknown>, context, { ...named, ...more, queue });
  expect(await move('new').catch(({ code }: TaskFlowError) => code)).toBe('TOO_MANY_QUEUES');
  await move('default');
  await world.close();
});
