/** The rules of dependencies: what a parent's state means, and the order of a call. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newTask } from '../../test/conformance/samples.ts';
import { asSet, edgeState, hasLoop, inOrder, mustWaitFor, parentsThatFit } from './dependencies.ts';
import { limits } from './limits.ts';
import { taskStates } from './states.ts';
import type { Dependency, NewTask } from './task.ts';

const on = (taskId: string): Dependency => ({ taskId, onFailure: 'fail' });

test('only success, or a failure that is ignored, lets a child go', () => {
  const told = [...taskStates, null].map((state) => [state, edgeState(state, 'fail'), edgeState(state, 'ignore')]);
  expect(told).toEqual([
    ['blocked', 'open', 'open'],
    ['scheduled', 'open', 'open'],
    ['queued', 'open', 'open'],
    ['running', 'open', 'open'],
    ['succeeded', 'done', 'done'],
    ['failed', 'failed', 'done'],
    ['cancelled', 'failed', 'done'],
    [null, 'failed', 'done'],
  ]);
});

test('a set has each parent once', () => {
  expect(asSet([on('a'), { taskId: 'a', onFailure: 'ignore' }, on('b')])).toEqual([on('a'), on('b')]);
});

/** A call of up to 20 tasks whose edges all lead to tasks of smaller numbers, in any order. */
const acyclic = fc
  .tuple(fc.array(fc.array(fc.nat(19), { maxLength: 4 }), { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat()))
  .map(([parents, chance]) => {
    const tasks = parents.map((numbers, index) =>
      newTask(`t${index}`, { dependsOn: numbers.filter((number) => number < index).map((number) => on(`t${number}`)) }),
    );
    return tasks
      .map((task) => ({ task, at: chance.next().value }))
      .sort((a, b) => a.at - b.at)
      .map(({ task }) => task);
  });

test('parents come before children, and nothing is lost', () => {
  fc.assert(
    fc.property(acyclic, (call) => {
      const { tasks, positions } = inOrder(call);
      const places = new Map(tasks.map(({ id }, place) => [id, place]));
      for (const [place, { dependsOn }] of tasks.entries())
        for (const { taskId } of dependsOn) expect(places.get(taskId)).toBeLessThan(place);
      expect(tasks.map(({ id }) => id)).toEqual(positions.map((position) => call[position]?.id));
      expect([...positions].sort((a, b) => a - b)).toEqual([...call.keys()]);
    }),
  );
});

test('tasks without edges stay in the order of the call', () => {
  const call = ['c', 'a', 'b'].map((id) => newTask(id));
  expect(inOrder(call).positions).toEqual([0, 1, 2]);
});

test('what a task of the call blocks waits for it', () => {
  const call = [newTask('join'), newTask('part', { blocks: [on('join'), on('elsewhere')] })];
  const { tasks } = inOrder(call);
  expect(tasks.map(({ id, dependsOn, blocks }) => [id, dependsOn, blocks])).toEqual([
    ['part', [], [on('elsewhere')]],
    ['join', [on('part')], []],
  ]);
});

test('a loop is told with its path, however long it is', () => {
  const loop = (length: number): NewTask[] =>
    Array.from({ length }, (_, index) => newTask(`t${index}`, { dependsOn: [on(`t${(index + 1) % length}`)] }));
  expect(() => inOrder(loop(2))).toThrow(
    'The flow is not valid at tasks[1].dependsOn[0]: the tasks wait for each other: t0 waits for t1 waits for t0.',
  );
  expect(() => inOrder(loop(limits.batchMax))).toThrow(/t5 waits for … \(1000 tasks\) waits for t0/);
});

test('more parents than allowed are told with their number', () => {
  const parents = Array.from({ length: limits.dependenciesMax + 1 }, (_, index) => on(`p${index}`));
  expect(() => inOrder([newTask('a'), newTask('b', { dependsOn: parents })])).toThrow(
    'tasks[1].dependsOn: it has 1001 parents, at most 1000 are allowed',
  );
});

test('there is a loop exactly where some task must wait for itself', () => {
  const pair = fc.tuple(fc.nat(6), fc.nat(6));
  fc.assert(
    fc.property(fc.array(pair), (pairs) => {
      const waits = new Map<string, string[]>();
      for (const [child, parent] of pairs) waits.set(`${child}`, [...(waits.get(`${child}`) ?? []), `${parent}`]);
      const loops = [...waits].some(([id, parents]) => parents.some((parent) => mustWaitFor(waits, parent, id)));
      expect(hasLoop(waits)).toBe(loops);
    }),
  );
});

test('a chain of 100,000 is no loop', () => {
  const chain = Array.from({ length: 100_000 }, (_, index): [string, string[]] => [`${index}`, [`${index + 1}`]]);
  expect(hasLoop(new Map(chain))).toBe(false);
});

test('the smallest parents fit first, and those of equal size by id', () => {
  const parents = Object.entries({ c: 4, b: 4, a: 5, d: 0 }).map(([taskId, bytes]) => ({ taskId, bytes }));
  expect([...parentsThatFit(parents, 5)]).toEqual(['d', 'b']);
  expect([...parentsThatFit(parents, 0)]).toEqual(['d']);
});
