/** Tasks as they stand, with the attempts and the log lines that lie beside them (lua/bodies.lua). */

import { readStoredError } from '../../core/damaged.ts';
import type { Attempt } from '../../core/events.ts';
import type { Stand } from '../../core/standing.ts';
import type { LogLine } from '../../core/task.ts';
import type { TaskBody } from '../broker.ts';
import type { Connection } from './connection.ts';
import { idText } from './forms.ts';
import { type RawTasks, readRawTasks, readStands, shapeIdOf, taskOfRaw } from './raw.ts';
import { refuseLargeBatch } from './refuse.ts';
import { type Described, readShape, readTasks, type Shape } from './rows.ts';

/** In the order of the ids, as many as fit; `null` for one that is not there. */
export async function getBodies(
  connection: Connection,
  taskIds: readonly string[],
): Promise<readonly (TaskBody | null)[]> {
  refuseLargeBatch(taskIds);
  if (taskIds.length === 0) return [];
  const ids = [...new Set(taskIds)];
  const bodies = await plainBodies(connection, ids);
  await addOthers(connection, ids, bodies);
  const cut = bodies.indexOf(undefined);
  const fitting = (cut < 0 ? bodies : bodies.slice(0, cut)) as readonly (TaskBody | null)[];
  return ids.length === taskIds.length ? fitting : repeated(taskIds, ids, fitting);
}

/** As they were asked for, some of them more than once. */
function repeated(
  taskIds: readonly string[],
  ids: readonly string[],
  bodies: readonly (TaskBody | null)[],
): readonly (TaskBody | null)[] {
  const byId = new Map(bodies.map((body, place) => [ids[place], body]));
  const cut = taskIds.findIndex((id) => !byId.has(id));
  return taskIds.slice(0, cut < 0 ? taskIds.length : cut).map((id) => byId.get(id) ?? null);
}

/** Heads are small, and read by no script: Lua would take eight times as long for them as the server and this process together. */
export async function getStands(
  connection: Connection,
  taskIds: readonly string[],
): Promise<readonly (Stand | null)[]> {
  refuseLargeBatch(taskIds);
  if (taskIds.length === 0) return [];
  const [heads = []] = await connection.readHashes([['heads', taskIds]]);
  return readStands(heads);
}

/** By place, of the first ids as many as fit; `undefined` for a task of which more has to be read. */
type Bodies = (TaskBody | null | undefined)[];

async function plainBodies(connection: Connection, ids: readonly string[]): Promise<Bodies> {
  const found = readRawTasks(await connection.run<RawTasks>('raw-bodies', [idText(ids)]));
  const shapeIds = new Set<number>();
  for (const task of found) if (task?.head != null) shapeIds.add(shapeIdOf(task.head));
  const shapes = await getShapes(connection, shapeIds);
  return found.map((raw, place) => {
    if (raw === null) return null;
    // Without a shape the last task of it is gone by now.
    const shape = raw.head === null ? undefined : shapes.get(shapeIdOf(raw.head));
    if (raw.head === null || shape === undefined) return undefined;
    return { task: taskOfRaw(ids[place] ?? '', raw, raw.head, shape), attempts: nothing, logs: nothing };
  });
}

const nothing: readonly never[] = [];

async function getShapes(connection: Connection, shapeIds: ReadonlySet<number>): Promise<ReadonlyMap<number, Shape>> {
  if (shapeIds.size === 0) return new Map();
  const texts = await connection.run<readonly (Buffer | null)[]>('get-shapes', [[...shapeIds].join(' ')]);
  const shapes = new Map<number, Shape>();
  for (const [place, shapeId] of [...shapeIds].entries()) {
    const text = texts[place] ?? null;
    if (text !== null) shapes.set(shapeId, readShape(text));
  }
  return shapes;
}

type Left = readonly (number | readonly Buffer[])[];

/** Those that run, wait for others, or have left errors, attempts or lines. */
async function addOthers(connection: Connection, ids: readonly string[], bodies: Bodies): Promise<void> {
  const places = bodies.flatMap((body, place) => (body === undefined ? [place] : []));
  if (places.length === 0) return;
  const wanted = places.map((place) => ids[place] ?? '');
  const [count, known, left] = await connection.run<readonly [number, Described, Left]>('bodies', [wanted.join(' ')]);
  const others = readTasks(known).map((task): Mutable => ({ task, attempts: [], logs: [] }));
  for (let i = 0; i < left.length; i += 3) {
    const body = others[(left[i] as number) - 1];
    if (body === undefined) continue;
    body.attempts = (left[i + 1] as readonly Buffer[]).map((text) => readAttempt(String(text)));
    body.logs = (left[i + 2] as readonly Buffer[]).map((text) => readLog(String(text)));
  }
  const byId = new Map(others.map((body) => [body.task.id, body]));
  for (const place of places.slice(0, count)) bodies[place] = byId.get(ids[place] ?? '') ?? null;
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
    error: error === false ? null : readStoredError(error),
  };
}

/** Reads a log line: the number of its run, and the line. */
export function readLog(text: string): LogLine & { readonly epoch: number } {
  const space = text.indexOf(' ');
  return { ...(JSON.parse(text.slice(space + 1)) as LogLine), epoch: Number(text.slice(0, space)) };
}
