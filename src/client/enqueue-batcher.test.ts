/** Checks how enqueues share calls: who goes together, and when a second call goes beside the first. */

import { expect, test } from 'vitest';
import type { EnqueueResult } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';
import { createEnqueueBatcher } from './enqueue-batcher.ts';

const half = limits.enqueueAsideMin;

/** A broker that answers when it is told to, and the sizes of the calls that came to it. */
function batcherOn(isParallel: boolean) {
  const sizes: number[] = [];
  const answers: (() => void)[] = [];
  const enqueue = (tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> => {
    sizes.push(tasks.length);
    const results = tasks.map(({ id }): EnqueueResult => ({ outcome: 'created', taskId: id, state: 'queued' }));
    return new Promise((resolve) => answers.push(() => resolve(results)));
  };
  const batcher = createEnqueueBatcher(async () => ({ enqueue }), { isParallel: () => isParallel });
  const add = (count: number, key: string | null = null): void => {
    for (let n = 0; n < count; n++) void batcher.enqueue({ id: `${n}`, payload: '{}', key } as NewTask);
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { sizes, add, settle, answer: () => answers.shift()?.() };
}

test('enqueues of one tick share a call, and those that come meanwhile the next one', async () => {
  const { sizes, add, settle, answer } = batcherOn(false);
  add(4 * half);
  await settle();
  add(3 * half);
  add(1, 'a');
  await settle();
  answer();
  await settle();
  expect(sizes).toEqual([4 * half, 3 * half + 1]);
});

test('where calls may overlap, many go as two calls, and never as three', async () => {
  const { sizes, add, settle, answer } = batcherOn(true);
  add(4 * half);
  await settle();
  add(3 * half);
  await settle();
  expect(sizes).toEqual([2 * half, 2 * half]);
  answer();
  await settle();
  expect(sizes).toEqual([2 * half, 2 * half, 3 * half]);
});

test('few wait for the call that is under way', async () => {
  const { sizes, add, settle, answer } = batcherOn(true);
  add(half - 1);
  await settle();
  add(half - 1);
  await settle();
  answer();
  await settle();
  expect(sizes).toEqual([half - 1, half - 1]);
});

test('what is too little for two calls goes as one', async () => {
  const { sizes, add, settle } = batcherOn(true);
  add(2 * half - 1);
  await settle();
  expect(sizes).toEqual([2 * half - 1]);
});

test('tasks with keys keep their order: those of one call wait for those of another', async () => {
  const { sizes, add, settle, answer } = batcherOn(true);
  add(1, 'a');
  await settle();
  add(half, 'a');
  await settle();
  expect(sizes).toEqual([1]);
  answer();
  await settle();
  expect(sizes).toEqual([1, half]);
});
