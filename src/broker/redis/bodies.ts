/** Tasks as they stand, with the attempts and the log lines that lie beside them (lua/bodies.lua). */

import type { Attempt } from '../../core/events.ts';
import type { LogLine, TaskError } from '../../core/task.ts';
import type { TaskBody } from '../broker.ts';
import type { Connection } from './connection.ts';
import { refuseLargeBatch } from './refuse.ts';
import { type Described, readTasks } from './rows.ts';

type Left = readonly (number | readonly Buffer[])[];

/** In the order of the ids, as many as fit; `null` for one that is not there. */
export async function getBodies(
  connection: Connection,
  taskIds: readonly string[],
): Promise<readonly (TaskBody | null)[]> {
  refuseLargeBatch(taskIds);
  if (taskIds.length === 0) return [];
  const ids = [...new Set(taskIds)];
  const [count, known, left] = await connection.run<readonly [number, Described, Left]>('bodies', [ids.join(' ')]);
  const bodies = readTasks(known).map((task): Mutable => ({ task, attempts: [], logs: [] }));
  for (let i = 0; i < left.length; i += 3) {
    const body = bodies[(left[i] as number) - 1];
    if (body === undefined) continue;
    body.attempts = (left[i + 1] as readonly Buffer[]).map((text) => readAttempt(String(text)));
    body.logs = (left[i + 2] as readonly Buffer[]).map((text) => readLog(String(text)));
  }
  const byId = new Map<string, TaskBody | null>(ids.slice(0, count).map((id) => [id, null]));
  for (const body of bodies) byId.set(body.task.id, body);
  const cut = taskIds.findIndex((id) => !byId.has(id));
  return taskIds.slice(0, cut < 0 ? taskIds.length : cut).map((id) => byId.get(id) ?? null);
}

type Mutable = { -readonly [Name in keyof TaskBody]: TaskBody[Name] };

/** Reads an ended run as lua/settle.lua keeps it. */
export function readAttempt(text: string): Attempt {
  const [epoch, attempt, workerId, claimedAt, startedAt, endedAt, to, reason, error] = JSON.parse(text);
  const orNull = <Value>(value: Value | false): Value | null => (value === false ? null : value);
  return {
    epoch,
    attempt,
    workerId: orNull(workerId),
    claimedAt,
    startedAt: orNull(startedAt),
    endedAt,
    to,
    reason: orNull(reason),
    error: error === false ? null : (JSON.parse(error) as TaskError),
  };
}

/** Reads a log line: the number of its run, and the line. */
export function readLog(text: string): LogLine & { readonly epoch: number } {
  const space = text.indexOf(' ');
  return { ...(JSON.parse(text.slice(space + 1)) as LogLine), epoch: Number(text.slice(0, space)) };
}
