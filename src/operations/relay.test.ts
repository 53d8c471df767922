/** Tests what people see of tasks that no broker takes, and do with them. */
import { expect, test } from 'vitest';
import { sampleId } from '../../test/conformance/samples.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Relay } from '../core/relay.ts';
import { type Operation, type OperationContext, perform } from './operation.ts';
import { relayDrop, relayList, relayRetry } from './relay.ts';

const id = sampleId(1);
const aside = { taskId: id, name: 'mail', at: 0, problem: 'its key is held' };

function ask<Input, Output>(
  operation: Operation<Input, Output>,
  relay: Partial<Relay> | undefined,
  input: unknown = {},
) {
  const context = { store: { relay }, actor: { name: 'ada', role: 'admin' } } as unknown as OperationContext;
  return perform(operation, context, input);
}

test('those set aside are listed with their reasons, beside what is on its way', async () => {
  const status = { waiting: 3, setAside: 1, lagMs: 70 };
  const relay = { status: async () => status, setAside: async () => [aside] };
  expect(await ask(relayList, relay)).toEqual({
    ...status,
    tasks: [{ id, name: 'mail', enqueuedAt: '1970-01-01T00:00:00.000Z', problem: 'its key is held' }],
  });
});

test('one is pushed once more, or is told why not', async () => {
  const answering = (result: Awaited<ReturnType<Relay['retry']>>[number]) => ({ retry: async () => [result] });
  expect(await ask(relayRetry, answering({ outcome: 'pushed' }), { id })).toEqual({ id, outcome: 'pushed' });
  const refused = ask(relayRetry, answering({ outcome: 'refused', problem: 'no' }), { id });
  await expect(refused).rejects.toMatchObject({ code: 'RELAY_TASK_REFUSED', message: expect.stringContaining('no') });
  const unknown = ask(relayRetry, answering({ outcome: 'unknown' }), { id });
  await expect(unknown).rejects.toMatchObject({ code: 'RELAY_TASK_NOT_FOUND' });
});

test('an outage is told as one', async () => {
  const retry = () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'away' }));
  await expect(ask(relayRetry, { retry }, { id })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
});

test('one is forgotten, once', async () => {
  expect(await ask(relayDrop, { drop: async () => [true] }, { id })).toEqual({ id, outcome: 'dropped' });
  const again = ask(relayDrop, { drop: async () => [false] }, { id });
  await expect(again).rejects.toMatchObject({ code: 'RELAY_TASK_NOT_FOUND' });
});

test('where tasks are there with the commit, nothing is on its way', async () => {
  expect(await ask(relayList, undefined)).toEqual({ waiting: 0, setAside: 0, lagMs: 0, tasks: [] });
  await expect(ask(relayDrop, undefined, { id })).rejects.toMatchObject({ code: 'RELAY_TASK_NOT_FOUND' });
  await expect(ask(relayRetry, undefined, { id: 'x' })).rejects.toMatchObject({ code: 'INVALID_ID' });
});
