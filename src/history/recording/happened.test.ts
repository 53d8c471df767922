// What events tell beside the tasks they name.

import { expect, test } from 'vitest';
import { bodyOf, eventOf, run, succeeded } from '../../../test/conformance/recording-samples.ts';
import { sampleError, sampleId, startAt } from '../../../test/conformance/samples.ts';
import type { BatchEvent } from '../../core/events.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import { groupsOf, minutesOf, notesOf } from './happened.ts';

const minute = startAt - (startAt % 60_000);
const numbered = (events: readonly Omit<BatchEvent, 'seq'>[]): readonly BatchEvent[] =>
  events.map((event, index) => ({ ...event, seq: index + 1 }));

/** How many ended runs of these events lead to another attempt. */
function retriedBy(kind: BatchEvent['kind'], from: TaskState, to: TaskState, reason: Reason | null, error = false) {
  const attempts = [run({ endedAt: startAt, to, reason, error: error ? sampleError : null })];
  const body = bodyOf(1, { state: to, reason }, { attempts });
  const minutes = minutesOf(numbered([eventOf(kind, body, from)]), new Map([[sampleId(1), body]]), nobody);
  return minutes.get(minute)?.[0]?.[5] ?? 0;
}

const nobody = () => undefined;

test.each([
  ['an error', 'settle', 'running', 'scheduled', 'error', true, 1],
  ['a timeout that a judge finds', 'judge', 'running', 'scheduled', 'timeout', true, 1],
  ['a crash', 'settle', 'running', 'queued', 'crashed', true, 1],
  ['a lease lost after its start', 'judge', 'running', 'queued', 'lease_lost', true, 1],
  ['a lease lost before it', 'judge', 'running', 'queued', 'lease_lost', false, 0],
  ['a snooze', 'settle', 'running', 'scheduled', 'snooze', false, 0],
  ['a hand-back', 'settle', 'running', 'queued', 'released', false, 0],
  ['an edit of what waits', 'update', 'scheduled', 'queued', 'error', true, 0],
  ['a last failure', 'settle', 'running', 'failed', 'error', true, 0],
] as const)('counts %s among the runs that are tried again as it is', (_what, kind, from, to, reason, error, count) => {
  expect(retriedBy(kind, from, to, reason, error)).toBe(count);
});

test('counts no end that was restored, and none twice', () => {
  const body = succeeded(1);
  const events = numbered([eventOf('restore', body, null), eventOf('remove', body, 'succeeded', { to: null })]);
  expect(minutesOf(events, new Map([[sampleId(1), body]]), nobody)).toEqual(new Map());
});

test('gives each end to the minute of its event, whatever became of the task since', () => {
  const body = bodyOf(1, { version: 9 });
  const events = numbered([
    eventOf('settle', body, 'running', { to: 'failed', version: 3 }),
    eventOf('settle', body, 'running', { to: 'succeeded', version: 6, at: startAt + 60_000 }),
    eventOf('cancel', body, 'queued', { to: 'cancelled', version: 8, at: startAt + 60_001 }),
  ]);
  const told = [...minutesOf(events, new Map([[sampleId(1), body]]), nobody)];
  expect(told).toEqual([
    [minute, [['default', 'mail.send', 0, 1, 0, 0, 0, 0]]],
    [minute + 60_000, [['default', 'mail.send', 1, 0, 1, 0, 0, 0]]],
  ]);
});

test('adds what a run took to its own end, also where two came in one millisecond', () => {
  const body = succeeded(1, { version: 6 });
  const at = startAt + 16;
  const events = numbered([
    eventOf('settle', body, 'running', { to: 'failed', version: 3, at }),
    eventOf('settle', body, 'running', { at }),
  ]);
  const [told] = minutesOf(events, new Map([[sampleId(1), body]]), nobody).values();
  const spread = [
    [0, 1],
    [1, 1],
  ];
  expect(told).toEqual([['default', 'mail.send', 1, 1, 0, 0, 5, 10, spread]]);
});

test('writes items that are alike once, and keeps their order', () => {
  const item = (id: string, version = 1) => ({ ...eventOf('enqueue', bodyOf(1), null).items[0], taskId: id, version });
  const items = [item('a'), item('b'), item('c', 2), item('d')] as BatchEvent['items'];
  expect(groupsOf(items).map(([, , , , , , version, ids]) => [version, ids])).toEqual([
    [1, ['a', 'b']],
    [2, ['c']],
    [1, ['d']],
  ]);
});

test('names the generation of a retry where the task stands as the last event says', () => {
  const events = (last: number) =>
    numbered([
      eventOf('retry', bodyOf(1), 'failed', { version: 3 }),
      eventOf('update', bodyOf(1), 'queued', { version: 4 }),
      eventOf('retry', bodyOf(1), 'failed', { version: last }),
    ]);
  const body = bodyOf(1, { version: 7, generation: 3 });
  const bodies = new Map([[sampleId(1), body]]);
  const words = ['Retried by hand: generation 2', 'Edited by hand', 'Retried by hand: generation 3'];

  expect(notesOf(events(7), bodies).map(({ text }) => text)).toEqual(words);
  expect(notesOf(events(6), bodies).map(({ text }) => text)).toEqual(words.map((text) => text.replace(/:.*/, '')));
});

test('forgets with a removed task what was noted of it before', () => {
  const events = [eventOf('retry', bodyOf(1), 'failed'), eventOf('remove', bodyOf(1), 'failed', { to: null })];
  expect(notesOf(numbered(events), new Map())).toEqual([]);
});
