/** control: leaves commands for workers until they have heard them. */

import { checkCommand, type WorkerCommand, withCommand } from '../../core/commands.ts';
import type { ControlResult } from '../broker.ts';
import { refuseLargeBatch } from './refuse.ts';
import type { Step } from './step.ts';

export function control(step: Step, workerIds: readonly string[], command: WorkerCommand): readonly ControlResult[] {
  refuseLargeBatch(workerIds);
  checkCommand(command);
  return workerIds.map((workerId) => controlOne(step, workerId, command));
}

function controlOne(step: Step, workerId: string, command: WorkerCommand): ControlResult {
  const { presences, lastCommands } = step.state;
  const record = presences.get(workerId);
  if (record === undefined) return { outcome: 'unknown' };
  const id = (lastCommands.get(workerId) ?? 0) + 1;
  lastCommands.set(workerId, id);
  presences.set(workerId, { ...record, commands: withCommand(record.commands, { id, command }) });
  step.commanded.push(workerId);
  return { outcome: 'sent', id };
}
