/** Tasks that are stored by what the events tell of them, without a look at what is recorded. */

import { expect } from 'vitest';
import type { TaskBody } from '../../src/broker/broker.ts';
import type { RecordBatch } from '../../src/history/recording.ts';
import { batchOf, bodyOf, eventOf, everything, type RecordingCases, succeeded } from './recording-samples.ts';
import { sampleId, startAt } from './samples.ts';

export const movedCases: RecordingCases = {
  'writes of tasks that were handed on what has changed, and keeps the rest': async (record) => {
    const numbers = [1, 2, 3];
    const given = (number: number) => ({
      key: `k${number}`,
      tags: ['a'],
      group: 'g',
      flowId: sampleId(9),
      schemaVersion: '1',
    });
    const waiting = numbers.map((number) => bodyOf(number, given(number)));
    await record.take(
      waiting.map((body) => eventOf('enqueue', body, null)),
      waiting,
    );
    const claimed = {
      state: 'running',
      version: 2,
      epoch: 1,
      attempt: 1,
      workerId: 'w',
      claimedAt: startAt + 5,
    } as const;
    const running = numbers.map((number) => bodyOf(number, { ...given(number), ...claimed }));
    await record.take(
      running.map((body) => eventOf('claim', body, 'queued')),
      running,
    );
    expect(await record.ids('state:running')).toEqual([3, 2, 1].map(sampleId));
    const ends = numbers.map((number) => succeeded(number, { ...given(number), result: `"${number % 2}"` }));
    await record.take(
      ends.map((body) => eventOf('settle', body, 'running')),
      ends,
    );

    expect(await record.recording.tasks(numbers.map(sampleId))).toEqual(ends.map(({ task }) => task));
    expect((await record.history.facets()).views).toEqual({ succeeded: 3 });
    expect(await record.recording.unfinished(null, 10)).toEqual([]);
    expect(await record.ids('state:running')).toEqual([]);
  },

  'looks at a task that is not recorded as its events tell': async (record) => {
    await record.take([eventOf('enqueue', bodyOf(1), null)], [bodyOf(1)]);
    const ends = [succeeded(1, { version: 5, priority: 2 }), succeeded(2, { version: 3 })];
    await record.take(
      ends.map((body) => eventOf('settle', body, 'running')),
      ends,
    );
    const again = bodyOf(2, { version: 1 });
    await record.take([eventOf('enqueue', again, null)], [again]);

    expect(await record.recording.tasks([1, 2].map(sampleId))).toEqual([ends[0]?.task, again.task]);
    expect((await record.history.facets()).views).toEqual({ queued: 1, succeeded: 1 });
  },

  'keeps a change whose event comes after the task was read': async (record) => {
    const later = bodyOf(1, { state: 'scheduled', dueAt: startAt + 50 });
    await record.take([eventOf('enqueue', later, null)], [later]);
    const changed = bodyOf(1, { dueAt: startAt + 50, priority: 2, version: 3 });
    await record.take([eventOf('promote', changed, 'scheduled', { version: 2 })], [changed]);
    await record.take([eventOf('update', changed, 'queued')], []);

    expect(await record.recording.tasks([sampleId(1)])).toEqual([changed.task]);
    expect((await record.history.facets()).views).toEqual({ queued: 1 });
  },

  'stores how tasks stand that were only handed on, without their bodies': async (record) => {
    const waiting = [1, 2].map((number) => bodyOf(number));
    await record.take(
      waiting.map((body) => eventOf('enqueue', body, null)),
      waiting,
    );
    const ends = [1, 2].map((number) => succeeded(number));
    const batch = handOn(2, ends);

    expect(await record.recording.record(batch)).toBe(true);
    expect(await record.recording.tasks([1, 2].map(sampleId))).toEqual(ends.map(({ task }) => task));
    expect((await record.history.facets()).views).toEqual({ succeeded: 2 });
    const [minute] = await record.history.minutes({ from: 0, to: Number.MAX_SAFE_INTEGER });
    expect(minute).toMatchObject({ succeeded: 2, runMs: 2 * 10, waitMs: 2 * 5 });
  },

  'stores nothing when one of them is not recorded as its events tell, or another is refused': async (record) => {
    await record.take([eventOf('enqueue', bodyOf(1), null)], [bodyOf(1)]);
    const before = await everything(record.driver);

    expect(await record.recording.record(handOn(1, [succeeded(1), succeeded(2)]))).toBe('not as told');
    const refused = bodyOf(3, { priority: 12 });
    const { events, handedOn = [] } = handOn(1, [succeeded(1)]);
    const withRefused = batchOf(1, [...events, eventOf('enqueue', refused, null)], [refused]);
    expect(await record.recording.record({ ...withRefused, handedOn })).toBe('not as told');
    expect(await everything(record.driver)).toEqual(before);
  },
};

/** The batch that comes after so many events, and claims and settles these. */
function handOn(after: number, ends: readonly TaskBody[]): RecordBatch {
  const claims = ends.map((body) => eventOf('claim', body, 'queued', { version: 2, to: 'running' }));
  const settles = ends.map((body) => eventOf('settle', body, 'running', { at: startAt + 16 }));
  const handedOn = ends.map(({ task }) => ({ taskId: task.id, standing: task, result: task.result }));
  return { ...batchOf(after, [...claims, ...settles], []), handedOn };
}
