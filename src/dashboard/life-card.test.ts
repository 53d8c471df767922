/** Tests what the dots of a task say about its runs. */

import { expect, test } from 'vitest';
import type { TaskRecordDocument } from '../operations/task-document.ts';
import { LifeCard } from './life-card.tsx';

const at = '2026-11-23T09:00:00.000Z';

test('a run that ended to wait for others is not shown as one that failed', () => {
  const runs = (['blocked', 'scheduled', 'succeeded'] as const).map((to) => ({ attempt: 1, to, error: null }));
  const times = { createdAt: at, dueAt: at, claimedAt: at, startedAt: at, finishedAt: at };
  const task = { view: 'succeeded', attempt: 1, attempts: 5, parents: [], runs, ...times, tookMs: 1 };
  const html = String(LifeCard({ task: task as unknown as TaskRecordDocument, now: Date.parse(at) }));
  expect([...html.matchAll(/dot fill-(\w+)/g)].map(([, fill]) => fill)).toEqual(['blocked', 'failed', 'succeeded']);
});
