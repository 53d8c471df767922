/** claim: queued → running under the caller's token, in order of priority and age (lua/claim.lua). */

import { readStoredError } from '../../core/damaged.ts';
import { limits } from '../../core/limits.ts';
import type { TaskState } from '../../core/states.ts';
import type { ClaimedTask, ParentResult, Task, TaskError } from '../../core/task.ts';
import type { ClaimRequest, Signal } from '../broker.ts';
import type { Connection } from './connection.ts';
import { unpackAnswer } from './packed.ts';
import { type Described, leaveOut, readTasks } from './rows.ts';

export async function claim(connection: Connection, request: ClaimRequest): Promise<readonly ClaimedTask[]> {
  const reply = await connection.run<ClaimReply>('claim', [requestText(request, connection)]);
  return readClaimed(await withRows(connection, reply), request.token);
}

/** Rows that the script has left out are read by none. What is gone since then was lost with a server, and its lease as well. */
export async function withRows(connection: Connection, reply: ClaimReply): Promise<ClaimReply> {
  const [now, tasks, parents = []] = reply;
  if (tasks === undefined || tasks[3].length > 0) return reply;
  const [idText, heads, headOfEach, , ...others] = tasks;
  const ids = idText.toString('latin1').split(' ');
  const [rows = []] = await connection.readHashes([['tasks', ids]]);
  const all = [idText, heads, headOfEach, rows as readonly Buffer[], ...others] as const;
  const isThere = (place: number): boolean => rows[place] !== null;
  return [now, rows.every((row) => row !== null) ? all : leaveOut(all, isThere), parents];
}

/** The time of the call, and the tasks when there are any. */
export type ClaimReply = readonly [now: number, tasks?: Described, parents?: Parents];

type Parents = readonly (Buffer | number | null)[];

/** A request as `take.lua` reads it. It stands where this process hears what comes of it. */
export function requestText(
  { token, workerId, leaseMs, limit, queues, standMs = 0 }: ClaimRequest,
  { own, isHearing }: Pick<Connection, 'own' | 'isHearing'>,
): string {
  const demands = queues.map((demand) => [demand.name, demand.limit]);
  const stand = standMs > 0 && isHearing ? { standMs, from: own } : {};
  return JSON.stringify({
    token,
    workerId,
    leaseMs,
    limit: Math.min(limit, limits.batchMax),
    queues: demands,
    ...stand,
  });
}

export function readClaimed([now, tasks, parents = []]: ClaimReply, token: string): readonly ClaimedTask[] {
  if (tasks === undefined) return [];
  const results = readParents(parents);
  return readTasks(tasks).map((task) => claimedTask(task, token, now, results));
}

/** What an enqueue elsewhere has claimed for a claim that stands, as lua/enqueue.lua tells it. */
export function readHanded(message: Buffer): Signal {
  const [token, reply] = unpackAnswer(message, 2) as unknown as readonly [Buffer, ClaimReply];
  return { kind: 'handed', token: String(token), claimed: readClaimed(reply, String(token)) };
}

/** As lua/parents.lua tells of them. */
function readParents(list: Parents): ReadonlyMap<string, ParentResult> {
  const parents = new Map<string, ParentResult>();
  for (let at = 0; at < list.length; at += 6) {
    const [id, name, state, leftOut, result, error] = list.slice(at, at + 6);
    const taskId = String(id);
    const about = { taskId, name: String(name), state: String(state) as TaskState };
    if (Number(leftOut) >= 0)
      parents.set(taskId, { ...about, result: null, error: null, leftOutBytes: Number(leftOut) });
    else parents.set(taskId, { ...about, result: textOrNull(result), error: errorOrNull(error) });
  }
  return parents;
}

type Told = Buffer | number | null | undefined;

/** No result and no error is an empty text. */
const textOrNull = (text: Told): string | null => (String(text ?? '') === '' ? null : String(text));

function errorOrNull(text: Told): TaskError | null {
  const told = textOrNull(text);
  return told === null ? null : readStoredError(told);
}

function claimedTask(task: Task, token: string, now: number, results: ReadonlyMap<string, ParentResult>): ClaimedTask {
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  const runMs = boundByLife ? lifeMs : task.timeoutMs;
  const parents = task.dependsOn.map(
    ({ taskId }) => results.get(taskId) ?? { taskId, name: null, state: null, result: null, error: null },
  );
  return { task, lease: { taskId: task.id, token, epoch: task.epoch }, runMs, boundByLife, parents };
}
