/** Each method of the seam as moves of one task, with the answers and effects docs/seam.md gives for every state. */

import { expect } from 'vitest';
import type { UpdateResult } from '../../src/broker/broker.ts';
import { isFinished, isWaiting, taskStates } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';
import { enqueueMoves } from './enqueue-moves.ts';
import type { Move, Place } from './move.ts';
import { isPlaceFinished, isPlaceWaiting, key, keyFreed, moveToken } from './move.ts';
import {
  awaited,
  beat,
  claimRequest,
  heartbeatRequest,
  keepMs,
  leaseMs,
  overdueRequest,
  startAt,
  storedTask,
} from './samples.ts';
import { foreignSettleMove, judgeMoves, settleMoves } from './verdict-moves.ts';

const notDue = 'a task does not run before its time';
const everywhere: readonly Place[] = ['absent', ...taskStates];
const lastParent = storedTask(awaited.taskId, { state: 'succeeded', finishedAt: startAt, pruneAt: startAt + keepMs });

const unblockMoves: readonly Move[] = (['queued', 'scheduled'] as const).map(
  (to): Move => ({
    name: `the end of its last parent, ${to === 'queued' ? 'past' : 'before'} its time,`,
    transition: 'unblock',
    to,
    alsoIn: everywhere,
    given: to === 'queued' ? {} : { delayMs: 1_000 },
    exceptIn: to === 'queued' ? {} : { running: notDue, succeeded: notDue, failed: notDue, cancelled: notDue },
    call: (broker) => broker.restore([lastParent]),
    answer: () => 1,
    again: () => 0,
    effect: (place, { id }) => ({
      [lastParent.id]: lastParent,
      ...(place === 'blocked' && { [id]: { state: to } }),
    }),
  }),
);

const restoreMoves: readonly Move[] = taskStates.map((state): Move => {
  const task = (id: string): Task =>
    storedTask(id, { version: 7, epoch: 3, attempt: 2, state, ...endOf(state), ...holdOf(state) });
  return {
    name: `restore as ${state}`,
    transition: 'restore',
    to: state,
    call: (broker, { id }) => broker.restore([task(id)]),
    answer: (place) => (place === 'absent' ? 1 : 0),
    again: () => 0,
    effect: (_place, { id }) => ({ [id]: task(id) }),
  };
});

function endOf(state: Task['state']): Partial<Task> {
  return isFinished(state) ? { finishedAt: startAt, pruneAt: startAt + keepMs } : {};
}

function holdOf(state: Task['state']): Partial<Task> {
  return state === 'running' ? { workerId: 'worker-9', leaseUntil: startAt + leaseMs, claimedAt: startAt } : {};
}

const claimMove: Move = {
  name: 'claim',
  transition: 'claim',
  to: 'running',
  call: async (broker) =>
    (await broker.claim(claimRequest(moveToken))).map(({ task, lease }) => [task.id, task.state, lease.token]),
  answer: (place, { id }) => (place === 'queued' ? [[id, 'running', moveToken]] : []),
  effect: (_place, { id }) => ({
    [id]: {
      state: 'running',
      epoch: 1,
      attempt: 1,
      workerId: 'worker-1',
      leaseUntil: startAt + leaseMs,
      claimedAt: startAt,
    },
  }),
};

const heartbeatMoves: readonly Move[] = [
  {
    name: 'heartbeat',
    transition: null,
    to: null,
    alsoIn: ['running'],
    prepare: async (world) => {
      await world.broker().heartbeat(heartbeatRequest([]));
      world.clock.move(1_000);
      await world.broker().heartbeat(heartbeatRequest([]));
    },
    call: async (broker, { id, token }) =>
      (await broker.heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 400 })]))).beats,
    answer: (place) => [place === 'running' ? 'ok' : 'lost'],
    effect: (_place, { id }) => ({
      [id]: { leaseUntil: startAt + 1_000 + leaseMs, startedAt: startAt + 600, version: '+0' },
    }),
  },
  {
    name: 'heartbeat under a foreign token',
    transition: null,
    to: null,
    prepare: async (world) => void (await world.broker().heartbeat(heartbeatRequest([]))),
    call: async (broker, { id }) =>
      (await broker.heartbeat(heartbeatRequest([beat({ taskId: id, token: moveToken, epoch: 1 })]))).beats,
    answer: () => ['lost'],
    effect: () => ({}),
  },
];

const serviceMoves: readonly Move[] = [
  {
    name: 'promote when it is due',
    transition: 'promote',
    to: 'queued',
    prepare: async (world) => world.clock.move(60_000),
    call: (broker) => broker.promote(100),
    answer: (place) => ({ promoted: place === 'scheduled' ? 1 : 0, nextInMs: null }),
    again: () => ({ promoted: 0, nextInMs: null }),
    effect: (_place, { id }) => ({ [id]: { state: 'queued' } }),
  },
  {
    name: 'promote before it is due',
    transition: null,
    to: null,
    call: (broker) => broker.promote(100),
    answer: (place) => ({ promoted: 0, nextInMs: place === 'scheduled' ? expect.any(Number) : null }),
    effect: () => ({}),
  },
  {
    name: 'claimOverdue before anything is overdue',
    transition: null,
    to: null,
    call: (broker) => broker.claimOverdue(overdueRequest(moveToken)),
    answer: () => [],
    effect: () => ({}),
  },
  {
    name: 'claimOverdue after its life',
    transition: null,
    to: null,
    given: { expiresInMs: 50_000 },
    prepare: async (world) => world.clock.move(50_000),
    call: async (broker) =>
      (await broker.claimOverdue(overdueRequest(moveToken))).map(({ lease, reason }) => [lease, reason]),
    answer: (place, { id }) =>
      place === 'absent' || isPlaceFinished(place)
        ? []
        : [[{ taskId: id, token: moveToken, epoch: place === 'running' ? 1 : 0 }, 'expired']],
    effect: () => ({}),
  },
  {
    name: 'prune after its retention',
    transition: 'prune',
    to: null,
    prepare: async (world) => world.clock.move(1_000_000),
    call: (broker) => broker.prune(100),
    answer: (place) => (isPlaceFinished(place) ? 1 : 0),
    again: () => 0,
    effect: (_place, { id }) => ({ [id]: null }),
  },
  {
    name: 'prune before its retention is over',
    transition: null,
    to: null,
    prepare: async (world) => world.clock.move(999_999),
    call: (broker) => broker.prune(100),
    answer: () => 0,
    effect: () => ({}),
  },
];

const peopleMoves: readonly Move[] = [
  {
    name: 'cancel',
    transition: 'cancel',
    to: 'cancelled',
    alsoIn: ['running'],
    call: (broker, { id }) => broker.cancel({ taskIds: [id], reason: 'ada: wrong list' }),
    answer: (place) => [
      place === 'absent'
        ? { outcome: 'unknown' }
        : isPlaceFinished(place)
          ? { outcome: 'already', state: place }
          : { outcome: place === 'running' ? 'requested' : 'cancelled' },
    ],
    again: (place) => [place === 'running' ? { outcome: 'requested' } : { outcome: 'already', state: 'cancelled' }],
    effect: (place, { id }) =>
      place === 'running'
        ? { [id]: { cancelRequestedAt: startAt, cancelReason: 'ada: wrong list' } }
        : {
            ...keyFreed,
            [id]: {
              state: 'cancelled',
              reason: 'user',
              cancelReason: 'ada: wrong list',
              finishedAt: startAt,
              pruneAt: startAt + keepMs,
            },
          },
  },
  {
    name: 'retry',
    transition: 'retry',
    to: 'queued',
    call: (broker, { id }) => broker.retry([id]),
    answer: (place) => [
      place === 'absent'
        ? { outcome: 'unknown' }
        : isPlaceFinished(place)
          ? { outcome: 'queued', generation: 2 }
          : { outcome: 'already', state: place },
    ],
    again: () => [{ outcome: 'already', state: 'queued' }],
    effect: (place, { id }) => ({
      [`key ${key}`]: { taskId: id, until: null },
      [id]: {
        state: 'queued',
        reason: 'retry',
        generation: 2,
        attempt: 0,
        workerId: null,
        claimedAt: null,
        startedAt: null,
        finishedAt: null,
        pruneAt: null,
        ...(place === 'succeeded' && { result: null }),
        ...(place === 'failed' && { error: null }),
      },
    }),
  },
  {
    name: 'remove',
    transition: 'remove',
    to: null,
    call: (broker, { id }) => broker.remove([id]),
    answer: (place) => [
      place === 'absent'
        ? { outcome: 'unknown' }
        : isPlaceFinished(place)
          ? { outcome: 'removed' }
          : { outcome: 'already', state: place },
    ],
    again: () => [{ outcome: 'unknown' }],
    effect: (_place, { id }) => ({ [id]: null }),
  },
];

const updateMoves: readonly Move[] = [
  ...(['scheduled', 'queued'] as const).map(
    (to): Move => ({
      name: `update to ${to}`,
      transition: 'update',
      to,
      alsoIn: ['blocked'],
      prepare: async (world) => world.clock.move(1_000),
      call: (broker, { id }) =>
        broker.update([{ taskId: id, version: 1, patch: { priority: 0, delayMs: to === 'queued' ? 0 : 5_000 } }]),
      answer: (place) => [updated(place, to)],
      again: () => [{ outcome: 'changed', version: 2 }],
      effect: (place, { id }) => ({
        [id]: {
          priority: 0,
          dueAt: startAt + (to === 'queued' ? 1_000 : 6_000),
          ...(place !== 'blocked' && place !== to && { state: to }),
        },
      }),
    }),
  ),
  {
    name: 'update of another version',
    transition: null,
    to: null,
    call: (broker, { id }) => broker.update([{ taskId: id, version: 9, patch: { priority: 0 } }]),
    answer: (place) => [isPlaceWaiting(place) ? { outcome: 'changed', version: 1 } : updated(place, 'queued')],
    effect: () => ({}),
  },
];

function updated(place: Place, to: 'scheduled' | 'queued'): UpdateResult {
  if (place === 'absent') return { outcome: 'unknown' };
  if (!isWaiting(place)) return { outcome: 'already', state: place };
  return { outcome: 'updated', state: place === 'blocked' ? 'blocked' : to };
}

const otherMoves: readonly Move[] = [
  {
    name: 'pausing its queue',
    transition: null,
    to: null,
    alsoIn: ['absent', ...taskStates],
    call: (broker) => broker.configure('queue', 'default', { pause: { by: 'ada', reason: 'mail is down' } }),
    answer: () => undefined,
    effect: () => ({ 'queue default': { by: 'ada', reason: 'mail is down', at: startAt } }),
  },
  {
    name: 'getTasks',
    transition: null,
    to: null,
    call: async (broker, { id }) => (await broker.getTasks([id])).map((task) => task?.state ?? 'absent'),
    answer: (place) => [place],
    effect: () => ({}),
  },
  {
    name: 'inspect',
    transition: null,
    to: null,
    call: async (broker, { id }) => (await broker.inspect([id])).map((facts) => facts?.task.state ?? 'absent'),
    answer: (place) => [place],
    effect: () => ({}),
  },
  {
    name: 'getQueues',
    transition: null,
    to: null,
    call: async (broker) => (await broker.getQueues()).map(({ name, counts }) => [name, counts]),
    answer: (place) => (place === 'absent' ? [] : [['default', { [place]: 1 }]]),
    effect: () => ({}),
  },
  {
    name: 'getWorkers',
    transition: null,
    to: null,
    call: (broker) => broker.getWorkers(),
    answer: () => [],
    effect: () => ({}),
  },
];

export const moves: readonly Move[] = [
  ...enqueueMoves,
  ...restoreMoves,
  ...unblockMoves,
  claimMove,
  ...heartbeatMoves,
  ...settleMoves,
  foreignSettleMove,
  ...judgeMoves,
  ...serviceMoves,
  ...peopleMoves,
  ...updateMoves,
  ...otherMoves,
];
