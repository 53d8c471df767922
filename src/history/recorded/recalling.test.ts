/** A live store that has forgotten finished tasks, and a record that has not, answer as one. */

import { expect, test } from 'vitest';
import { newTask, sampleId, startAt, storedTask } from '../../../test/conformance/samples.ts';
import { createMemoryBroker } from '../../broker/memory/memory-broker.ts';
import { seededChance } from '../../core/chance.ts';
import type { Task } from '../../core/task.ts';
import { recalling } from './recalling.ts';

const old = sampleId(1);

/** Sample ids were all made long before the clock of these tests. */
function createPair(recorded: readonly Task[]) {
  const live = createMemoryBroker({ now: () => startAt, chance: seededChance(1) });
  const tasks = new Map(recorded.map((task) => [task.id, task]));
  const asked: string[] = [];
  const broker = recalling({
    broker: live,
    clock: { now: () => startAt + 400 * 24 * 3_600_000 },
    recording: {
      tasks: async (ids) => {
        asked.push(...ids);
        return ids.map((id) => tasks.get(id) ?? null);
      },
      remove: async (ids) => ids.map((id) => tasks.delete(id)),
    },
  });
  return { live, broker, asked, tasks };
}

const finished = (id: string, given: Partial<Task> = {}): Task =>
  storedTask(id, {
    state: 'succeeded',
    version: 3,
    dependsOn: [],
    finishedAt: startAt - 1_000,
    pruneAt: startAt + 1_000_000,
    ...given,
  });

test('an id that was enqueued before is still the same task', async () => {
  const { broker } = createPair([finished(old)]);
  expect(await broker.enqueue([newTask(old)])).toEqual([{ outcome: 'existing', taskId: old, state: 'succeeded' }]);
  expect(await broker.enqueue([newTask(old, { payload: '"other"' })])).toMatchObject([{ outcome: 'conflict' }]);
});

test('an id made just now asks no record', async () => {
  const { broker, asked } = createPair([]);
  const fresh = `${'01ZZZZZZZZ'}${old.slice(10)}`;
  await broker.enqueue([newTask(fresh)]);
  expect(asked).toEqual([]);
});

test('a parent that has ended long ago lets its child run', async () => {
  const { broker } = createPair([finished(old, { result: '1' })]);
  const child = newTask(sampleId(2), { dependsOn: [{ taskId: old, onFailure: 'fail' }] });
  expect(await broker.enqueue([child])).toMatchObject([{ outcome: 'created', state: 'queued' }]);
  const stranger = newTask(sampleId(3), { dependsOn: [{ taskId: sampleId(9), onFailure: 'fail' }] });
  await expect(broker.enqueue([stranger])).rejects.toMatchObject({ code: 'INVALID_FLOW' });
});

test('a retry brings the task back, and another one finds it there', async () => {
  const { broker, live } = createPair([finished(old, { state: 'failed', reason: 'error' })]);
  expect(await broker.retry([old, sampleId(9)])).toEqual([
    { outcome: 'queued', generation: 2 },
    { outcome: 'unknown' },
  ]);
  expect(await broker.retry([old])).toEqual([{ outcome: 'already', state: 'queued' }]);
  expect((await live.getTasks([old]))[0]).toMatchObject({ state: 'queued', generation: 2 });
});

test('reads, cancels and edits are answered from the record, and bring nothing back', async () => {
  const { broker, live } = createPair([finished(old)]);
  expect(await broker.getTasks([sampleId(9), old])).toMatchObject([null, { id: old, state: 'succeeded' }]);
  const already = { outcome: 'already', state: 'succeeded' };
  expect(await broker.cancel({ taskIds: [sampleId(9), old], reason: null })).toEqual([{ outcome: 'unknown' }, already]);
  expect(await broker.update([{ taskId: old, version: null, patch: { priority: 1 } }])).toEqual([already]);
  expect(await live.getTasks([old])).toEqual([null]);
});

test('a task that only the record has is removed from it', async () => {
  const { broker, tasks } = createPair([finished(old)]);
  expect(await broker.remove([old, sampleId(9)])).toEqual([{ outcome: 'removed' }, { outcome: 'unknown' }]);
  expect(tasks.size).toBe(0);
});

test('what the record takes for unfinished is told by the live store alone', async () => {
  const { broker } = createPair([storedTask(old, { state: 'queued', dependsOn: [] })]);
  expect(await broker.getTasks([old])).toEqual([null]);
  expect(await broker.retry([old])).toEqual([{ outcome: 'unknown' }]);
});
