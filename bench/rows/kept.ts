/** The numbers that a store keeps beside its tasks, gathered while they are built. */

import { type MinuteRow, markSpan, spans } from '../../src/broker/sql/minutes.ts';
import { limits } from '../../src/core/limits.ts';
import type { BuiltTask } from './tasks.ts';

type CountRow = readonly [queue: string, name: string, view: string, tasks: number];

export interface Kept {
  add(task: BuiltTask): void;
  counts(): Iterable<CountRow>;
  /** Of the time for which minutes are kept. */
  minutes(): Iterable<MinuteRow>;
}

/** As a store has it that an earlier version has filled: its minutes are not rolled up yet. */
export const markMinutes = `INSERT INTO rollups (span, at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms)
  SELECT ${markSpan}, last / ${spans.hour} * ${spans.hour} + ${spans.hour}, '', '', 0, 0, 0, 0, 0, 0 FROM (SELECT max(at) AS last FROM minutes) AS kept
  WHERE last IS NOT NULL`;

export function createKept(endAt: number): Kept {
  const counts = new Map<string, [string, string, string, number]>();
  const minutes = new Map<string, [number, string, string, number, number, number, number, number, number]>();
  return {
    add({ queue, name, state, finishedAt, waitMs, runMs, retries }) {
      const key = `${queue} ${name} ${state}`;
      const count = counts.get(key);
      if (count === undefined) counts.set(key, [queue, name, state, 1]);
      else count[3] += 1;
      if (finishedAt < endAt - limits.minutesKeepMs) return;
      const at = finishedAt - (finishedAt % 60_000);
      const minuteKey = `${at} ${queue} ${name}`;
      const minute = minutes.get(minuteKey) ?? [at, queue, name, 0, 0, 0, 0, 0, 0];
      minutes.set(minuteKey, minute);
      minute[state === 'succeeded' ? 3 : state === 'failed' ? 4 : 5] += 1;
      minute[6] += retries;
      minute[7] += waitMs;
      minute[8] += runMs;
    },
    counts: () => counts.values(),
    minutes: () => minutes.values(),
  };
}
