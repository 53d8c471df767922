/** enqueue as moves of one task: of it, of what takes its place, and of what holds it back. */

import { expect } from 'vitest';
import { isPlaceWaiting, key, type Move, otherId } from './move.ts';
import { awaited, keepMs, newTask, startAt } from './samples.ts';

const otherParent = { taskId: otherId, onFailure: 'fail' } as const;

export const enqueueMoves: readonly Move[] = [
  ...(['queued', 'scheduled'] as const).map(
    (to): Move => ({
      name: `enqueue to ${to}`,
      transition: 'enqueue',
      to,
      call: (broker, { id }) => broker.enqueue([newTask(id, { key, delayMs: to === 'queued' ? 0 : 1_000 })]),
      answer: (place, { id }) => [
        place === 'absent'
          ? { outcome: 'created', taskId: id, state: to }
          : { outcome: 'existing', taskId: id, state: place },
      ],
      again: (_place, { id }) => [{ outcome: 'existing', taskId: id, state: to }],
      effect: (_place, { id }) => ({
        [id]: expect.objectContaining({ state: to, version: 1, dueAt: startAt + (to === 'queued' ? 0 : 1_000) }),
        [`key ${key}`]: { taskId: id, until: null },
      }),
    }),
  ),
  {
    name: 'enqueue to blocked',
    transition: 'enqueue',
    to: 'blocked',
    prepare: async (world) => void (await world.put({ id: otherId, queue: 'other' })),
    call: (broker, { id }) => broker.enqueue([newTask(id, { key, dependsOn: [otherParent] })]),
    answer: (place, { id }) => [
      place === 'absent'
        ? { outcome: 'created', taskId: id, state: 'blocked' }
        : { outcome: 'existing', taskId: id, state: place },
    ],
    again: (_place, { id }) => [{ outcome: 'existing', taskId: id, state: 'blocked' }],
    effect: (_place, { id }) => ({
      [id]: expect.objectContaining({ state: 'blocked', version: 1, dependsOn: [otherParent] }),
      [`key ${key}`]: { taskId: id, until: null },
    }),
  },
  {
    name: 'enqueue of a task it has to wait for',
    transition: 'block',
    to: 'blocked',
    alsoIn: ['absent', 'running', 'succeeded', 'failed', 'cancelled'],
    call: (broker, { id }) => broker.enqueue([newTask(otherId, { blocks: [{ taskId: id, onFailure: 'fail' }] })]),
    answer: () => [{ outcome: 'created', taskId: otherId, state: 'queued' }],
    again: () => [{ outcome: 'existing', taskId: otherId, state: 'queued' }],
    effect: (place, { id }) => ({
      [otherId]: expect.objectContaining({ state: 'queued', version: 1 }),
      ...(isPlaceWaiting(place) && {
        [id]: {
          dependsOn: place === 'blocked' ? [awaited, otherParent] : [otherParent],
          ...(place !== 'blocked' && { state: 'blocked' }),
        },
      }),
    }),
  },
  {
    name: 'enqueue of another body',
    transition: null,
    to: null,
    call: (broker, { id }) => broker.enqueue([newTask(id, { key: null, payload: '{"to":"bob"}' })]),
    exceptIn: { absent: 'an unknown task has no body to differ from' },
    answer: (_place, { id }) => [{ outcome: 'conflict', taskId: id, of: id }],
    effect: () => ({}),
  },
  {
    name: 'enqueue that replaces',
    transition: 'replace',
    to: 'cancelled',
    alsoIn: ['absent', 'succeeded', 'failed', 'cancelled'],
    call: (broker) => broker.enqueue([newTask(otherId, { key, ifExists: 'replace' })]),
    answer: (place, { id }) => [
      isPlaceWaiting(place)
        ? { outcome: 'replaced', taskId: otherId, of: id, state: 'queued' }
        : place === 'running'
          ? { outcome: 'duplicate', taskId: otherId, of: id }
          : { outcome: 'created', taskId: otherId, state: 'queued' },
    ],
    again: () => [{ outcome: 'existing', taskId: otherId, state: 'queued' }],
    effect: (place, { id }) => ({
      ...(isPlaceWaiting(place) && {
        [id]: { state: 'cancelled', reason: 'replaced', finishedAt: startAt, pruneAt: startAt + keepMs },
      }),
      [otherId]: expect.objectContaining({ state: 'queued', key, version: 1 }),
      [`key ${key}`]: { taskId: otherId, until: null },
    }),
  },
];
