/** What events tell of a task: whether it came, was only handed on, or has to be looked at. */

import { expect, test } from 'vitest';
import { bodyOf, eventOf, succeeded } from '../../test/conformance/recording-samples.ts';
import { sampleId } from '../../test/conformance/samples.ts';
import type { BatchEvent } from './events.ts';
import type { TaskState } from './states.ts';
import { isHandedOn, tellingsOf } from './tellings.ts';

type Told = readonly [kind: BatchEvent['kind'], from: TaskState | null, to: TaskState | null, version: number];

/** What a series tells of one task. */
function tell(...series: readonly Told[]) {
  const events = series.map(([kind, from, to, version], index) => ({
    ...eventOf(kind, bodyOf(1), from, { to, version }),
    seq: index + 1,
  }));
  return tellingsOf(events).get(sampleId(1));
}

test.each<readonly [sentence: string, series: readonly Told[], expected: object]>([
  ['one that came is new', [['enqueue', null, 'queued', 1]], { isNew: true, isMoved: false }],
  [
    'one that came, ran and ended is new',
    [
      ['enqueue', null, 'queued', 1],
      ['claim', 'queued', 'running', 2],
      ['settle', 'running', 'succeeded', 3],
    ],
    { isNew: true, isOver: true, version: 3 },
  ],
  [
    'one that was claimed and settled was handed on from where it waited',
    [
      ['claim', 'queued', 'running', 4],
      ['settle', 'running', 'succeeded', 5],
    ],
    { isNew: false, isMoved: true, from: 'queued', before: 3, version: 5 },
  ],
  ['one that was changed by hand is looked at', [['update', 'queued', 'queued', 2]], { isNew: false, isMoved: false }],
  ['one that is put off is looked at', [['settle', 'running', 'scheduled', 3]], { isNew: false, isMoved: false }],
  [
    'one of whose steps the events lack some is looked at',
    [
      ['claim', 'queued', 'running', 2],
      ['settle', 'running', 'succeeded', 5],
    ],
    { isMoved: false },
  ],
  [
    'one that was removed and came again is looked at',
    [
      ['remove', 'succeeded', null, 4],
      ['enqueue', null, 'queued', 1],
    ],
    { isNew: false, isMoved: false, isOver: true },
  ],
  [
    'one that came twice is looked at',
    [
      ['enqueue', null, 'queued', 1],
      ['remove', 'succeeded', null, 4],
      ['enqueue', null, 'queued', 1],
    ],
    { isNew: false, isMoved: false },
  ],
])('%s', (_sentence, series, expected) => {
  expect(tell(...series)).toMatchObject(expected);
});

test('nothing is told of what the live store prunes', () => {
  expect(tell(['prune', 'succeeded', null, 4])).toBeUndefined();
});

test('a task was handed on when it stands as told, or has succeeded since', () => {
  const claimed = tell(['claim', 'queued', 'running', 2]);
  if (claimed === undefined) throw new Error('nothing was told');

  expect(isHandedOn(bodyOf(1, { state: 'running', version: 2 }).task, claimed)).toBe(true);
  expect(isHandedOn(succeeded(1, { version: 3 }).task, claimed)).toBe(true);
  expect(isHandedOn(succeeded(1, { version: 4 }).task, claimed)).toBe(false);
});
