/** getWorkers and control: what processes say about themselves, and what people tell them (lua/worker.lua). */

import {
  checkCommand,
  type SentCommand,
  type StoredStack,
  subjectOf,
  type WorkerCommand,
} from '../../core/commands.ts';
import type { Definition, WorkerRecord } from '../../core/presence.ts';
import type { ControlResult } from '../broker.ts';
import type { Connection } from './connection.ts';
import { refuseLargeBatch } from './refuse.ts';
import type { Told } from './signals.ts';

/** By id. */
export async function getWorkers(connection: Connection): Promise<readonly WorkerRecord[]> {
  return readWorkers(await connection.run<readonly Buffer[]>('get-workers', []));
}

const fieldsOfWorker = 7;

/** As `workersSince` in lua/worker.lua tells of them; by id. */
export function readWorkers(list: readonly Buffer[]): readonly WorkerRecord[] {
  const workers: WorkerRecord[] = [];
  for (let at = 0; at < list.length; at += fieldsOfWorker) {
    const [workerId = '', beatAt, said = '', definitions, firstAt, commands, stack = ''] = list
      .slice(at, at + fieldsOfWorker)
      .map(String);
    workers.push({
      ...(JSON.parse(said) as Omit<WorkerRecord, 'definitions' | 'startedAt' | 'beatAt' | 'commands' | 'stack'>),
      workerId,
      definitions: JSON.parse(definitions || '[]') as Definition[],
      startedAt: Number(firstAt),
      beatAt: Number(beatAt),
      commands: (JSON.parse(commands || '[]') as [number, string, string][]).map(readCommand),
      stack: stack === '' ? null : readStack(stack),
    });
  }
  return workers.sort((left, right) => (left.workerId < right.workerId ? -1 : 1));
}

function readCommand([id, , command]: readonly [number, string, string]): SentCommand {
  return { id, command: JSON.parse(command) as WorkerCommand };
}

function readStack(text: string): StoredStack {
  const space = text.indexOf(' ');
  return { ...JSON.parse(text.slice(space + 1)), at: Number(text.slice(0, space)) } as StoredStack;
}

export async function control(
  connection: Connection,
  workerIds: readonly string[],
  command: WorkerCommand,
): Promise<Told<readonly ControlResult[]>> {
  refuseLargeBatch(workerIds);
  checkCommand(command);
  const args = [JSON.stringify(workerIds), subjectOf(command), JSON.stringify(command)];
  const ids = await connection.run<readonly number[]>('control', args);
  const answer = ids.map((id): ControlResult => (id === 0 ? { outcome: 'unknown' } : { outcome: 'sent', id }));
  const sent = new Set(workerIds.filter((_workerId, place) => ids[place] !== 0));
  return { answer, signals: sent.size === 0 ? [] : [{ kind: 'command', workerIds: [...sent] }] };
}
