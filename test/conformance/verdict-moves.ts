/** settle as moves of one task, by its worker and by a judge, to every state a verdict knows. */

import { expect } from 'vitest';
import { isFinished, transitions } from '../../src/core/states.ts';
import type { Task, Verdict } from '../../src/core/task.ts';
import type { Move, Place } from './move.ts';
import { isPlaceFinished, keyFreed, moveToken, otherId } from './move.ts';
import { finish, newTask, overdueRequest, settlement, startAt, wait } from './samples.ts';

/** Where a task settled by its worker is, in the fields that change from a first run without a beat. */
function settledFields(verdict: Verdict): object {
  const shared = { state: verdict.to, leaseUntil: null, startedAt: startAt - 10 };
  if (verdict.to === 'succeeded' || verdict.to === 'failed' || verdict.to === 'cancelled') {
    const told = {
      ...(verdict.result && { result: verdict.result }),
      ...(verdict.error && { error: verdict.error }),
      ...(verdict.reason && { reason: verdict.reason }),
    };
    return { ...shared, ...told, finishedAt: startAt, pruneAt: startAt + verdict.keepMs };
  }
  const due = verdict.to === 'scheduled' ? { dueAt: startAt + verdict.delayMs } : {};
  const waits = { ...shared, ...due, reason: verdict.reason!, error: verdict.error!, workerId: null, claimedAt: null };
  // What it spawned holds it back: that is a change of its own.
  const held = { dependsOn: [{ taskId: otherId, onFailure: 'fail' }], version: '+2' };
  return verdict.to === 'blocked' ? { ...waits, ...held } : waits;
}

const verdicts: readonly Verdict[] = [
  finish('succeeded'),
  finish('failed'),
  finish('cancelled'),
  wait('scheduled'),
  wait('queued'),
  wait('blocked'),
];

export const settleMoves: readonly Move[] = verdicts.map(
  (verdict): Move => ({
    name: `settle to ${verdict.to}`,
    transition: 'settle',
    to: verdict.to,
    call: async (broker, { id, token }) => {
      const spawn = verdict.to === 'blocked' ? [newTask(otherId, { blocks: [{ taskId: id, onFailure: 'fail' }] })] : [];
      return (await broker.settle([settlement(id, token, verdict, { spawn })])).results;
    },
    answer: (place) => [
      {
        outcome:
          place === 'absent'
            ? 'unknown'
            : place === 'running'
              ? 'applied'
              : isPlaceFinished(place)
                ? 'alreadyApplied'
                : 'stale',
      },
    ],
    again: () => [{ outcome: 'alreadyApplied' }],
    effect: (_place, { id }) => ({
      [id]: settledFields(verdict),
      ...(isFinished(verdict.to) && keyFreed),
      ...(verdict.to === 'blocked' && { [otherId]: expect.objectContaining({ state: 'queued', version: 1 }) }),
    }),
  }),
);

export const foreignSettleMove: Move = {
  name: 'settle under a foreign token',
  transition: null,
  to: null,
  call: async (broker, { id }) => (await broker.settle([settlement(id, moveToken, finish('succeeded'))])).results,
  answer: (place) => [{ outcome: place === 'absent' ? 'unknown' : 'stale' }],
  effect: () => ({}),
};

export const judgeMoves: readonly Move[] = verdicts
  .filter((verdict) => (transitions.judge.to as readonly string[]).includes(verdict.to))
  .map(
    (verdict): Move => ({
      name: `a judge's settle to ${verdict.to}`,
      transition: 'judge',
      to: verdict.to,
      given: { expiresInMs: 50_000 },
      prepare: async (world, { id }, place) => {
        world.clock.move(50_000);
        const overdue = await world.broker().claimOverdue(overdueRequest(moveToken));
        expect(overdue.map(({ task, reason }) => [task.id, reason])).toEqual(
          place === 'absent' || isPlaceFinished(place) ? [] : [[id, 'expired']],
        );
      },
      call: async (broker, { id, epoch = 0 }) => {
        const lease = { taskId: id, token: moveToken, epoch };
        return (await broker.settle([settlement(id, lease, verdict, { ranMs: null })])).results;
      },
      answer: (place) => [{ outcome: place === 'absent' ? 'unknown' : isPlaceFinished(place) ? 'stale' : 'applied' }],
      again: () => [{ outcome: 'alreadyApplied' }],
      effect: (place, { id }) => ({ [id]: judgedFields(place, verdict), ...(isFinished(verdict.to) && keyFreed) }),
    }),
  );

/** The judge brings no `ranMs`: the run, if any, never began as far as anyone knows. */
function judgedFields(place: Place, verdict: Verdict): Partial<Task> {
  const at = startAt + 50_000;
  const moved = verdict.to === place ? {} : { state: verdict.to };
  const told = { ...moved, reason: verdict.reason!, ...(verdict.error && { error: verdict.error }) };
  const unleased = place === 'running' ? { leaseUntil: null } : {};
  if ('keepMs' in verdict) return { ...told, ...unleased, finishedAt: at, pruneAt: at + verdict.keepMs };
  const due = verdict.to === 'scheduled' ? { dueAt: at + verdict.delayMs } : {};
  return { ...told, ...unleased, ...due, ...(place === 'running' && { workerId: null, claimedAt: null }) };
}
