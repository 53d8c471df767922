/** control: leaves commands for workers until they have heard them. */

import { checkCommand, type SentCommand, type WorkerCommand, withCommand } from '../../core/commands.ts';
import type { ControlResult } from '../broker.ts';
import { eachStatement, statement } from './driver.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** Input: list of ids. Locks: the rows, against the heartbeats of their processes. */
const commandedWorkers = statement<[workerId: string, lastCommand: number, commands: string | null]>(
  'commanded_workers',
  (dialect) =>
    `SELECT worker_id, last_command, commands FROM workers WHERE worker_id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('worker_id')}`,
);

const leaveCommands = eachStatement(
  'leave_commands',
  { lastCommand: 'bigint', commands: 'text', workerId: 'text' },
  (value, from, dialect) =>
    `UPDATE workers SET last_command = ${value.lastCommand}, commands = ${value.commands} ${from} WHERE worker_id ${dialect.keyed(value.workerId)}`,
);

export async function control(
  step: Step,
  workerIds: readonly string[],
  command: WorkerCommand,
): Promise<readonly ControlResult[]> {
  refuseLargeBatch(workerIds);
  checkCommand(command);
  const rows = await step.tx.query(commandedWorkers, idList(workerIds));
  const known = new Map(rows.map(([workerId, last, text]) => [workerId, { last, commands: decodeCommands(text) }]));
  const results = workerIds.map((workerId): ControlResult => {
    const worker = known.get(workerId);
    if (worker === undefined) return { outcome: 'unknown' };
    worker.last += 1;
    worker.commands = withCommand(worker.commands, { id: worker.last, command });
    step.commanded.push(workerId);
    return { outcome: 'sent', id: worker.last };
  });
  await step.tx.each(
    leaveCommands,
    [...known].map(([workerId, { last, commands }]) => [last, encodeCommands(commands), workerId]),
  );
  return results;
}

/** NULL is the common case: none. */
export function decodeCommands(text: string | null): readonly SentCommand[] {
  return text === null ? [] : (JSON.parse(text) as readonly SentCommand[]);
}

export function encodeCommands(commands: readonly SentCommand[]): string | null {
  return commands.length === 0 ? null : JSON.stringify(commands);
}
