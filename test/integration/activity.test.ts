/** What ended, added up by the database, is what its minutes add up to: of differences that are folded, and of those that are not yet. */

import { expect, test } from 'vitest';
import { cumulate } from '../../src/core/latency.ts';
import type { Minute } from '../../src/history/history.ts';
import { newTask } from '../conformance/samples.ts';
import { onEachStore } from '../support/operation-stores.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const sum = (rows: readonly Pick<Minute, 'succeeded' | 'failed'>[]) =>
  rows.reduce((all, { succeeded, failed }) => [(all[0] ?? 0) + succeeded, (all[1] ?? 0) + failed], [0, 0]);

await onEachStore((open) => {
  test('activity adds up to the minutes', { timeout: 60_000 }, async () => {
    const rig = await open();
    const { broker, history } = rig.store;
    for (const [queue, name, to] of [
      ['a', 'mail', 'succeeded'],
      ['a', 'mail', 'failed'],
      ['a', '__proto__', 'succeeded'],
      ['b', 'mail', 'succeeded'],
    ] as const) {
      await broker.enqueue([newTask(rig.context.ids.next(), { queue, name, key: null })]);
      await rig.end(to, { queue });
      await rig.recorded();
    }
    // What ends while it waits has not run.
    const [waiting] = await broker.enqueue([newTask(rig.context.ids.next(), { queue: 'b', name: 'mail', key: null })]);
    await broker.cancel({ taskIds: [waiting?.taskId ?? ''], reason: 'not wanted' });
    await rig.recorded();
    const { now } = await broker.info();
    const to = Math.floor(now / minuteMs) * minuteMs + minuteMs;
    const range = { from: to - 60 * minuteMs, to };
    const check = async (): Promise<void> => {
      const minutes = await history.minutes(range);
      const [stepMs, partMs] = [minuteMs, 2 * minuteMs];
      const activity = await history.activity({ ...range, stepMs, partMs, recent: range, namesFrom: range.from });
      for (const rows of [minutes, activity.steps, activity.parts, activity.recent, activity.names])
        expect(sum(rows)).toEqual([3, 1]);
      for (const rows of [activity.parts, activity.recent, activity.names])
        expect(sum(rows.filter(({ queue }) => queue === 'a'))).toEqual([2, 1]);
      expect(activity.names.filter(({ name }) => name === '__proto__')).toHaveLength(1);
      expect(activity.parts.every(({ part }) => part === 29 || part === 28)).toBe(true);
      const day = {
        from: to - 1_440 * minuteMs,
        to,
        stepMs: 10 * minuteMs,
        partMs: 60 * minuteMs,
        recent: range,
        namesFrom: 0,
      };
      expect(sum((await history.activity(day)).parts)).toEqual([3, 1]);
      const hours = { from: to - (to % hourMs) - hourMs, to: to - (to % hourMs) + hourMs, step: 'hour' } as const;
      expect(sum(await history.minutes(hours))).toEqual([3, 1]);
      expect(await history.minutes({ ...range, limit: 1 })).toEqual(minutes.slice(0, 1));
      const tasksOf = (queue: string) =>
        ended.minutes
          .filter((row) => row.queue === queue)
          .map(({ waits, runs }) => [cumulate(waits).at(-1) ?? 0, cumulate(runs).at(-1) ?? 0])
          .reduce((all, more) => all.map((tasks, index) => tasks + (more[index] ?? 0)), [0, 0]);
      const ended = await history.ended(range);
      expect([ended.from, sum(ended.minutes)]).toEqual([range.from, [3, 1]]);
      expect([tasksOf('a'), tasksOf('b')]).toEqual([
        [3, 3],
        [1, 1],
      ]);
      const outside = { from: to, to: to + 60 * minuteMs, stepMs, partMs, recent: range, namesFrom: to };
      expect(await history.activity(outside)).toEqual({ steps: [], parts: [], recent: [], names: [] });
    };
    await check();
    await broker.prune(10);
    await rig.store.recording?.prune(10);
    await check();
  });
});
