/** How far a record has got, and by what it knows its live store again. */

import { expect } from 'vitest';
import { markOf } from '../../src/core/events.ts';
import { batchOf, bodyOf, eventOf, life, nobody, type RecordingCases, succeeded } from './recording-samples.ts';

export const cursorCases: RecordingCases = {
  'begins with one recorder, and goes on to another life only from where it is': async ({ recording }) => {
    expect(await recording.cursor()).toEqual(nobody);

    expect(await recording.follow(nobody, { incarnation: 'a', seq: 4 }, null)).toBe(true);
    expect(await recording.follow(nobody, { incarnation: 'b', seq: 0 }, null)).toBe(false);
    expect(await recording.follow({ incarnation: 'a', seq: 3 }, { incarnation: 'b', seq: 0 }, null)).toBe(false);
    expect(await recording.follow({ incarnation: 'a', seq: 4 }, { incarnation: 'b', seq: 9 }, null)).toBe(true);
    expect(await recording.cursor()).toEqual({ incarnation: 'b', seq: 9, last: null });
  },

  'knows which event it got to, until it goes on to another life': async (record) => {
    const { recording } = record;
    const event = eventOf('enqueue', bodyOf(1), null);
    await record.take([eventOf('enqueue', bodyOf(2), null), event], [bodyOf(1), bodyOf(2)]);
    const last = { at: event.at, mark: markOf({ ...event, seq: 2 }) };
    expect(await recording.cursor()).toEqual({ incarnation: life, seq: 2, last });
    // Rows that come before their events.
    await recording.record(batchOf(2, [], [succeeded(1)]));
    expect((await recording.cursor()).last).toEqual(last);
    await recording.follow({ incarnation: life, seq: 2 }, { incarnation: 'b', seq: 0 }, null);
    expect((await recording.cursor()).last).toBeNull();
  },

  'notes a gap in the step that goes on to another life, and tells them, the newest first': async ({ recording }) => {
    const gaps = [
      { from: null, to: 5, restored: 0 },
      { from: 7, to: 9, restored: 3 },
    ];
    let at = { incarnation: 'a', seq: 1 };
    await recording.follow(nobody, at, null);
    for (const [index, gap] of gaps.entries()) {
      const next = { incarnation: `life ${index}`, seq: 0 };
      expect(await recording.follow(at, next, gap)).toBe(true);
      // Whoever comes too late tells nothing.
      expect(await recording.follow(at, next, gap)).toBe(false);
      at = next;
    }

    expect(await recording.gaps(10)).toEqual(gaps.toReversed());
    expect(await recording.gaps(1)).toEqual(gaps.slice(1));
    expect(await recording.losses(10)).toEqual({ gap: gaps[1], unrecorded: [] });
  },
};
