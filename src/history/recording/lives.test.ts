// Which rows a batch takes out of a record, and which it writes.

import { expect, test } from 'vitest';
import { bodyOf, eventOf, succeeded } from '../../../test/conformance/recording-samples.ts';
import { sampleId, startAt } from '../../../test/conformance/samples.ts';
import type { TaskBody } from '../../broker/broker.ts';
import type { BatchEvent } from '../../core/events.ts';
import { countsOf, livesOf, type Recorded } from './lives.ts';

type Event = Omit<BatchEvent, 'seq'>;

/** What becomes of the row of a task, and of what was read of it. */
function fateOf(row: TaskBody | null, body: TaskBody | null, ...events: readonly Event[]) {
  const numbered = events.map((event, index) => ({ ...event, seq: index + 1 }));
  const recorded = new Map<string, Recorded>(row === null ? [] : [[row.task.id, row.task]]);
  const lives = livesOf(numbered, body === null ? [] : [body], recorded);
  const { erased, written, ended } = lives;
  return {
    is: [erased.length > 0 && 'erased', written.length > 0 && 'written', ended.length > 0 && 'ended'].filter(Boolean),
    counts: Object.fromEntries(countsOf(lives, []).map(([, , view, difference]) => [view, difference])),
  };
}

const removal = (version: number, at = startAt + 40): Event =>
  eventOf('remove', succeeded(1), 'succeeded', { to: null, version, at });

test('a task that is new is written', () => {
  expect(fateOf(null, bodyOf(1))).toEqual({ is: ['written'], counts: { queued: 1 } });
});

test('one of a higher version comes in the place of its row', () => {
  expect(fateOf(bodyOf(1), succeeded(1))).toEqual({ is: ['written'], counts: { queued: -1, succeeded: 1 } });
});

test('one of a later life comes after the former is erased', () => {
  const fate = fateOf(succeeded(1, { version: 9 }), bodyOf(1, { createdAt: startAt + 1 }));
  expect(fate).toEqual({ is: ['erased', 'written'], counts: { succeeded: -1, queued: 1 } });
});

test.each([
  ['an older version', succeeded(1), bodyOf(1, { version: 2 })],
  ['the same', succeeded(1), succeeded(1)],
  ['a former life, however high its version', bodyOf(1, { createdAt: startAt + 1 }), succeeded(1, { version: 9 })],
])('%s changes nothing where no event names it', (_what, row, body) => {
  expect(fateOf(row, body)).toEqual({ is: [], counts: {} });
});

test('what is as it was recorded is left alone, though an event names it', () => {
  expect(fateOf(succeeded(1), succeeded(1), eventOf('settle', succeeded(1), 'running')).is).toEqual([]);
});

test('what an event names is true of a live store that went back', () => {
  const [row, body] = [bodyOf(1, { version: 7 }), succeeded(1)];
  expect(fateOf(row, body, eventOf('settle', body, 'running')).is).toEqual(['erased', 'written']);
  const other = succeeded(1, { state: 'failed' });
  expect(fateOf(succeeded(1), other, eventOf('settle', other, 'running')).is).toEqual(['erased', 'written']);
});

test('what was read before the last event that names it is not', () => {
  const later = succeeded(1, { version: 4 });
  expect(fateOf(later, bodyOf(1, { version: 3 }), eventOf('settle', later, 'running')).is).toEqual([]);
});

test('a removal takes out the life that it ended', () => {
  expect(fateOf(succeeded(1), null, removal(4))).toEqual({ is: ['erased'], counts: { succeeded: -1 } });
  expect(fateOf(succeeded(1), succeeded(1), removal(4)).is).toEqual(['erased']);
});

test.each([
  ['created after it', succeeded(1, { createdAt: startAt + 50 })],
  ['brought back with a higher version', succeeded(1, { version: 5 })],
])('a removal leaves a life that was %s', (_what, row) => {
  expect(fateOf(row, null, removal(4)).is).toEqual([]);
});

test('a task that is brought back after its removal is written anew', () => {
  const again = eventOf('restore', succeeded(1), null, { at: startAt + 41 });
  expect(fateOf(succeeded(1), succeeded(1), removal(4), again)).toEqual({ is: ['erased', 'written'], counts: {} });
});

test('an end is taken from its event where the task is gone', () => {
  const end = eventOf('settle', succeeded(1), 'running', { at: startAt + 16 });
  expect(fateOf(bodyOf(1), null, end)).toEqual({ is: ['ended'], counts: { queued: -1, succeeded: 1 } });
  expect(fateOf(succeeded(1), null, end).is).toEqual([]);
  expect(fateOf(bodyOf(1, { createdAt: startAt + 50 }), null, end).is).toEqual([]);
  expect(fateOf(null, null, eventOf('settle', succeeded(2), 'running', { taskId: sampleId(2) })).is).toEqual([]);
});
