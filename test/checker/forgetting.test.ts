/** The judge remembers the tasks there are, and of those that are gone only that they were. */

import { expect, test } from 'vitest';
import { createJudge, type JudgeOptions } from '../../src/checker/judge.ts';
import { type Change, client, effect, effects, eventsOf, good } from './histories.ts';

const pruned: Change = { kind: 'prune', from: 'succeeded', to: null, attempt: 2 };

/** Hands everything over as it would come from real processes, and forgets. */
function stream(changes: readonly Change[], late: Parameters<typeof effect>[] = []) {
  const judging = createJudge();
  for (const entry of client)
    judging.client({
      ...entry,
      asked: entry.asked && { policy: '{"delayMs":1000,"jitter":"none","keepSucceededMs":0}' },
    });
  for (const each of effects) judging.effect(each);
  judging.process({ pid: 1, at: 18, what: 'gone' });
  for (const event of eventsOf(changes)) judging.event(event);
  judging.sweep();
  const { remembered } = judging;
  for (const each of late) judging.effect(effect(...each));
  return { remembered, verdict: judging.finish() };
}

test('a task that is gone is forgotten, and judged all the same', () => {
  const { remembered, verdict } = stream([...good, pruned]);
  expect(remembered).toBe(0);
  expect(verdict).toMatchObject({ result: 'valid', counts: { accepted: 1, succeeded: 1, claims: 3, removed: 1 } });
  expect(stream([...good, good[7]!, pruned]).verdict.violations).toContainEqual({
    rule: 'S5',
    taskId: 'A',
    sentence: 'event 9, settle running → succeeded: it has ended 2 times',
  });
});

test('a task is not forgotten while a run of it may still end', () => {
  const { remembered } = stream([...good, pruned].filter((change) => change !== good[2]));
  expect(remembered).toBe(0);
  const judging = createJudge();
  for (const entry of client) judging.client(entry);
  for (const each of effects.slice(0, 5)) judging.effect(each);
  for (const event of eventsOf([...good, pruned, { kind: 'configure' }])) judging.event(event);
  judging.sweep();
  expect(judging.remembered).toBe(1);
});

test('a handler that begins after its task was forgotten is found', () => {
  const { verdict } = stream([...good, pruned], [['begin', 4, 900]]);
  expect(verdict.violations).toMatchObject([{ rule: 'S4', sentence: 'epoch 4 began after the task was gone' }]);
  expect(stream([...good, pruned], [['end', 1, 900]]).verdict.result).toBe('valid');
});

test('what a record has pruned may come to life again, whenever the record hears of it', () => {
  const again: readonly Change[] = [
    { kind: 'retry', from: 'succeeded', to: 'queued', attempt: 0, at: 3_000 },
    { kind: 'claim', from: 'queued', to: 'running', attempt: 1 },
    { kind: 'settle', from: 'running', to: 'succeeded', attempt: 1 },
  ];
  const events = eventsOf([...good, ...again]);
  const heard = [...effects, effect('begin', 4, 60), effect('end', 4, 70, { how: 'returned' })];
  const end = events[good.length - 1]!;
  const forgotten = (at: number) => ({ ...end, kind: 'prune' as const, at, items: [{ ...end.items[0]!, to: null }] });
  const judged = (pruneAt: number, place: number, options: JudgeOptions = { isRecord: true }) => {
    const judging = createJudge(options);
    for (const entry of client) judging.client(entry);
    for (const each of heard) judging.effect(each);
    for (const [index, event] of events.entries()) {
      if (index === place) judging.event(forgotten(pruneAt));
      judging.event(event);
      judging.sweep();
    }
    return judging.finish().violations.filter(({ rule }) => rule !== 'S22');
  };
  const later = events.at(-1)!.at + 1_000;
  // Ahead of everything that it has yet to hear of: of the end, of the retry, of nothing.
  for (const place of [good.length - 1, good.length, events.length - 1]) expect(judged(later, place)).toEqual([]);
  // Pruned before it went on: then it has to be there at the end.
  expect(judged(end.at, good.length)).toMatchObject([{ rule: 'S1', taskId: 'A' }]);
  expect(judged(later, good.length, {})).not.toEqual([]);
});
