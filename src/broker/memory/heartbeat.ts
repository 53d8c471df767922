/** heartbeat: extends leases, stores what the runs and the process say, tells of cancel requests and lost leases. */

import { fitsStore, type SentCommand } from '../../core/commands.ts';
import { isAlive } from '../../core/presence.ts';
import type { Checkpoint } from '../../core/task.ts';
import type { Beat, BeatAnswer, HeartbeatAnswer, HeartbeatRequest } from '../broker.ts';
import { refuseLargeBatch } from './refuse.ts';
import type { Step } from './step.ts';

export function heartbeat(step: Step, request: HeartbeatRequest): HeartbeatAnswer {
  refuseLargeBatch(request.beats);
  const commands = storePresence(step, request);
  const beats = request.beats.map((beat) => beatOne(step, beat, request.leaseMs));
  const noServer = ![...step.state.presences.values()].some((record) => record.server && isAlive(record, step.now));
  return { now: step.now, beats, commands, noServer };
}

/** Answers the commands that wait for the process. */
function storePresence(step: Step, { worker, heard = 0, stack }: HeartbeatRequest): readonly SentCommand[] {
  const { presences, lastCommands } = step.state;
  const { workerId } = worker;
  if (worker.state === 'stopped') {
    forgetWorker(step, workerId);
    return [];
  }
  const known = presences.get(workerId);
  const commands = (known?.commands ?? []).filter(({ id }) => id > heard);
  const answered = stack !== undefined && fitsStore(JSON.stringify(stack)) ? { ...stack, at: step.now } : null;
  presences.set(workerId, {
    ...worker,
    definitions: worker.definitions ?? known?.definitions ?? [],
    startedAt: known?.startedAt ?? step.now,
    beatAt: step.now,
    commands,
    stack: answered ?? known?.stack ?? null,
  });
  // A worker that the store forgot remembers what it heard: the next command must be newer than that.
  lastCommands.set(workerId, Math.max(lastCommands.get(workerId) ?? 0, heard));
  return commands;
}

/** Removes a process with all that is kept for it. */
export function forgetWorker({ state }: Step, workerId: string): void {
  state.presences.delete(workerId);
  state.lastCommands.delete(workerId);
}

function beatOne(step: Step, beat: Beat, leaseMs: number): BeatAnswer {
  const row = step.state.rows.get(beat.lease.taskId);
  if (row === undefined || row.token !== beat.lease.token || row.task.epoch !== beat.lease.epoch) return 'lost';
  const { task } = row;
  const startedAt = task.startedAt ?? (beat.ranMs === null ? null : step.now - beat.ranMs);
  // No version and no event: a beat is not a change that anybody waits for.
  row.task = {
    ...task,
    leaseUntil: step.now + leaseMs,
    startedAt,
    progress: beat.progress ?? task.progress,
    checkpoints: mergeCheckpoints(task.checkpoints, beat.checkpoints),
  };
  // Who has just been told that it holds the task must not lose it to a judge who looked before.
  Object.assign(row, { judgeToken: null, judgeUntil: null });
  row.logs.push(...beat.logs.map((line) => ({ ...line, epoch: task.epoch })));
  return task.cancelRequestedAt === null ? 'ok' : 'cancel';
}

/** A known name keeps its place and takes the new value, so that a repeated beat is harmless. */
function mergeCheckpoints(known: readonly Checkpoint[], fresh: readonly Checkpoint[]): readonly Checkpoint[] {
  const merged = new Map(known.map((checkpoint) => [checkpoint.name, checkpoint]));
  for (const checkpoint of fresh) merged.set(checkpoint.name, checkpoint);
  return [...merged.values()];
}
