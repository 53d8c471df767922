/** Tests what the judge says of the turns of groups. */

import { expect, test } from 'vitest';
import type { BatchEvent, EventItem } from '../core/events.ts';
import type { TaskState } from '../core/states.ts';
import type { Asked } from './evidence.ts';
import { createTurnBook } from './turns.ts';

/** A history of the tasks of one queue: "+a1" queues a task of group a, "a1" claims it, "-a1" cancels it. */
function judged(history: string, given: { readonly asked?: Asked; readonly weights?: Record<string, number> } = {}) {
  const told: string[] = [];
  const book = createTurnBook((rule, taskId) => told.push(`${rule} ${taskId}`));
  for (const [group, weight] of Object.entries(given.weights ?? {}))
    book.configured({ seq: 0, scope: 'group', name: group, weight });
  for (const [index, word] of history.split(' ').entries()) {
    if (word.startsWith('pause:')) {
      book.configured({ seq: index, scope: 'group', name: word.slice(6), paused: true });
      continue;
    }
    const [, heavier, weight] = /^weight:(\w+)=(\d+)$/.exec(word) ?? [];
    if (heavier !== undefined) {
      book.configured({ seq: index, scope: 'group', name: heavier, weight: Number(weight) });
      continue;
    }
    const id = word.replace(/^[+-]/, '');
    const [from, to]: readonly [TaskState | null, TaskState] =
      word[0] === '+' ? [null, 'queued'] : word[0] === '-' ? ['queued', 'cancelled'] : ['queued', 'running'];
    const item: EventItem = { taskId: id, name: 't', queue: 'q', version: 1, from, to, reason: null, attempt: 0 };
    const event: BatchEvent = {
      seq: index + 1,
      at: index,
      kind: to === 'running' ? 'claim' : 'enqueue',
      items: [item],
    };
    book.change(event, item, { group: id[0] === '_' ? null : (id[0] ?? null), ...given.asked });
  }
  return told;
}

test.each([
  ['groups that take turns', '+a1 +a2 +a3 +b1 +b2 a1 b1 a2 b2 a3'],
  ['a group that was one ahead when the other came', '+a1 +a2 +a3 +a4 a1 +b1 a2 a3 b1 a4'],
  ['a group that is alone', '+a1 +a2 +a3 +a4 +a5 a1 a2 a3 a4 a5'],
  ['a group that waited and was cancelled', '+b1 +a1 +a2 +a3 +a4 a1 a2 -b1 a3 a4'],
  ['a group that is paused', '+b1 +a1 +a2 +a3 +a4 +a5 pause:b a1 a2 a3 a4 a5'],
])('%s is served fairly', (_what, history) => {
  expect(judged(history)).toEqual([]);
});

test('a group that waits while another is served again and again is starved', () => {
  expect(judged('+b1 +a1 +a2 +a3 +a4 +a5 a1 a2 a3 a4 a5')).toEqual(['L6 b1', 'L6 b1']);
  expect(judged('+_1 +a1 +a2 +a3 +a4 a1 a2 a3 a4')).toEqual(['L6 _1']);
});

test('a weight is what one may be served while another waits', () => {
  const history = '+b1 +a1 +a2 +a3 +a4 +a5 a1 a2 a3 a4 a5';
  expect(judged(history, { weights: { a: 3 } })).toEqual([]);
  expect(judged(history, { weights: { a: 3, b: 3 } })).toEqual(['L6 b1', 'L6 b1']);
});

test('a turn is paid for by the weight of its time, whatever that becomes', () => {
  const many = (word: string, count: number): string =>
    Array.from({ length: count }, (_, n) => `${word}${n}`).join(' ');
  const history = (count: number): string =>
    `${many('+a', 2)} ${many('+b', count)} a0 weight:a=7 weight:b=9 ${many('b', count)}`;
  expect(judged(history(11))).toEqual([]);
  expect(judged(history(12))).toEqual(['L6 a1']);
});

test('a task that something else may hold back says nothing about turns', () => {
  const limits = [{ name: 'l', max: 1, rate: null }];
  expect(judged('+b1 +a1 +a2 +a3 +a4 a1 a2 a3 a4', { asked: { limits } })).toEqual([]);
});
