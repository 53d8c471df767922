/** What a worker over HTTP says of its runs. */

import { expect, test } from 'vitest';
import type { LogLine, Settlement } from '../../core/task.ts';
import { outcomeMessage } from './messages.ts';

function reported(logs: readonly LogLine[]) {
  const lease = { taskId: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX', token: 't', epoch: 1 };
  const settlement = { lease, outcome: { kind: 'released' }, ranMs: 1, progress: null, logs, spawn: [] };
  return outcomeMessage(settlement as unknown as Settlement).logs ?? [];
}

const line = (at: number, size: number): LogLine => ({
  at,
  level: 'info',
  message: `${at} ${'x'.repeat(size)}`,
  fields: null,
});

test('log lines go along with the outcome', () => {
  expect(reported([line(1, 10), line(2, 10)]).map(({ message }) => message[0])).toEqual(['1', '2']);
});

test('of too many the newest go along, and a word in the place of the others', () => {
  const logs = reported(Array.from({ length: 1_000 }, (_, at) => line(at, 4_000)));
  const left = 1_000 - (logs.length - 1);
  expect(left).toBeGreaterThan(100);
  const [first, second] = logs;
  expect(first).toMatchObject({ level: 'warn', at: new Date(left - 1).toISOString() });
  expect(first?.message).toBe(`${left} older log lines are left out: one report carries 2 MiB of them.`);
  expect(second?.message.startsWith(`${left} `)).toBe(true);
  expect(logs.at(-1)?.message).toMatch(/^999 /);
});
