/** Tasks on their way through Redis: what they share and what is their own, and how they come back. */

import { corruptTag, readStored, readStoredError, readStoredProgress, unreadableSteps } from '../../core/damaged.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type {
  Checkpoint,
  Dependency,
  FiredBy,
  IfExists,
  LimitRule,
  NewTask,
  OnFailure,
  Task,
} from '../../core/task.ts';
import { type Packed, unpack } from './packed.ts';

/** See lua/prelude.lua. Lua has no null in a list, and no empty list: false stands for both. */
export type Shape = readonly [
  name: string,
  queue: string,
  priority: number,
  timeoutMs: number | false,
  keepMs: number,
  strictCancel: boolean,
  ifExists: IfExists,
  keyForMs: number | false,
  policy: string,
  schemaVersion: string | false,
  tags: readonly string[] | false,
];
type Rule = readonly [name: string, max: number | false, count: number | false, perMs: number | false];
type More = readonly [flowId: string | null, traceparent: string | null, firedBy: FiredBy | null];

/** What tasks of one definition share, as the text that is stored once for all of them. */
export function shapeOf(task: NewTask | Task): string {
  const shape: Shape = [
    task.name,
    task.queue,
    task.priority,
    task.timeoutMs ?? false,
    task.keepMs,
    task.strictCancel,
    task.ifExists,
    task.keyForMs ?? false,
    task.policy,
    task.schemaVersion ?? false,
    textsOf(task.tags),
  ];
  return JSON.stringify(shape);
}

/** An empty list as Lua can keep it. */
export function textsOf(texts: readonly string[]): readonly string[] | false {
  return texts.length > 0 && texts;
}

export function rulesText(rules: readonly LimitRule[]): string | false {
  if (rules.length === 0) return false;
  return JSON.stringify(
    rules.map(({ name, max, rate }): Rule => [name, max ?? false, rate?.count ?? false, rate?.perMs ?? false]),
  );
}

/** Those for whom a task waits, as scripts read them. */
export function dependencyList(dependencies: readonly Dependency[]): readonly (readonly [string, OnFailure])[] | false {
  return dependencies.length > 0 && dependencies.map(({ taskId, onFailure }) => [taskId, onFailure] as const);
}

export function moreText({ flowId, traceparent, firedBy }: NewTask | Task): string | false {
  if (flowId === null && traceparent === null && firedBy === null) return false;
  const more: More = [flowId, traceparent, firedBy];
  return JSON.stringify(more);
}

/** What lua/describe.lua answers: the numbers of heads have four digits each, and where there are no places one text stands for all. */
export type Described = readonly [
  ids: Buffer,
  heads: readonly Buffer[],
  headOfEach: Buffer,
  rows: readonly Buffer[],
  leases: readonly number[],
  shapes: readonly (number | Buffer)[],
  asides: readonly (Buffer | readonly (Buffer | null)[])[],
];

export function readShape(text: Buffer): Shape {
  return JSON.parse(String(text)) as Shape;
}

/** Beside heads, by the letters of lua/prelude.lua and the places of their tasks. */
export type Asides = Partial<Record<'e' | 'r' | 'i' | 'p' | 'c' | 'w' | 'l' | 'd', readonly (string | undefined)[]>>;

/** The tasks of an answer, in its order. Neighbours have much in common, and that is read once. */
export function readTasks([ids, headList, headOfEach, rows, leases, shapeList, asideList]: Described): readonly Task[] {
  if (rows.length === 0) return [];
  const shapes = new Map<Packed, Shape>();
  for (let i = 0; i < shapeList.length; i += 2)
    shapes.set(shapeList[i] as number, readShape(shapeList[i + 1] as Buffer));
  const asides = readAsides(asideList, rows.length);
  const heads = headList.map((head) => unpack(head, 1).values[0] as readonly Packed[]);
  const headNumbers = headOfEach.toString('latin1');
  const readRow = createRowReader();
  return ids
    .toString('latin1')
    .split(' ')
    .map((id, place) => {
      const head =
        heads[headNumbers === '' ? 0 : Number(headNumbers.slice(headDigits * place, headDigits * (place + 1))) - 1] ??
        [];
      const shape = shapes.get(head[1] ?? null);
      if (shape === undefined) throw new Error(`Invariant broken: task ${id} has a shape that is not stored`);
      const [leaseUntil = 0] = leases.length === 1 ? leases : leases.slice(place, place + 1);
      return readTask({
        id,
        head,
        row: readRow(rows[place] ?? noRow),
        leaseUntil,
        shape,
        asides,
        place,
      });
    });
}

/** Of the number of a head in `headOfEach`. */
const headDigits = 4;

/** What is left of an answer without the tasks that `isThere` denies. */
export function leaveOut(
  [ids, heads, headOfEach, rows, ...others]: Described,
  isThere: (place: number) => boolean,
): Described {
  const left = (list: readonly string[], gap: string): Buffer =>
    Buffer.from(list.filter((_text, place) => isThere(place)).join(gap));
  const numbers = headOfEach.toString('latin1').match(/.{4}/g) ?? [];
  return [
    left(ids.toString('latin1').split(' '), ' '),
    heads,
    left(numbers, ''),
    rows.filter((_row, place) => isThere(place)),
    ...others,
  ];
}

function readAsides(list: Described[6], count: number): Asides {
  const asides: Record<string, readonly (string | undefined)[]> = {};
  for (let i = 0; i < list.length; i += 3) {
    const texts = (list[i + 2] as readonly (Buffer | null)[]).map((text) => text?.toString() ?? undefined);
    const places = String(list[i + 1]);
    if (places !== '') asides[String(list[i])] = spread(texts, places.split(' '), count);
    else asides[String(list[i])] = texts.length < count ? new Array<string | undefined>(count).fill(texts[0]) : texts;
  }
  return asides;
}

/** Texts of some, where they stand among all; places count from 1. */
function spread(
  texts: readonly (string | undefined)[],
  places: readonly string[],
  count: number,
): readonly (string | undefined)[] {
  const all = new Array<string | undefined>(count).fill(undefined);
  for (const [index, place] of places.entries()) all[Number(place) - 1] = texts[index];
  return all;
}

const noRow = Buffer.alloc(0);

/** As it is stored, with the values that it has in common with others. */
export interface Row {
  readonly common: readonly Packed[];
  readonly key: string | null;
  readonly group: string | null;
  readonly more: More;
  readonly payload: string;
}

const noMore: More = [null, null, null];
/** No key, no group and no more, as a number of three bytes. */
const nothingOwn = 0xc2c2c2;

/** Reads rows as lua/prelude.lua has them. */
export function createRowReader(): (row: Buffer) => Row {
  const commons = new Map<string, readonly Packed[]>();
  let lastText: Buffer = noRow;
  let last: readonly Packed[] = [];
  const commonOf = (row: Buffer, end: number): readonly Packed[] => {
    if (lastText.length === end - 2 && lastText.compare(row, 2, end) === 0) return last;
    const name = row.toString('latin1', 2, end);
    last = commons.get(name) ?? unpack(row, commonLength, 2).values;
    commons.set(name, last);
    lastText = row.subarray(2, end);
    return last;
  };
  return (row) => {
    const own = row.readUInt16BE(0) + 2;
    const common = commonOf(row, own);
    if (row.readUIntBE(own, 3) === nothingOwn)
      return { common, key: null, group: null, more: noMore, payload: row.toString('utf8', own + 3) };
    const { values, end } = unpack(row, 3, own);
    const [key, group, more] = values as readonly [string | false, string | false, string | false];
    return {
      common,
      key: key === false ? null : key,
      group: group === false ? null : group,
      more: more === false ? noMore : (JSON.parse(more) as More),
      payload: row.toString('utf8', end),
    };
  };
}

/** Shape, createdAt, dueAt, startBy, expiresAt, aside. */
const commonLength = 6;

export interface Found {
  readonly id: string;
  readonly head: readonly Packed[];
  readonly row: Row;
  readonly leaseUntil: number;
  readonly shape: Shape;
  readonly asides: Asides;
  readonly place: number;
  /** Where it is not among the asides. */
  readonly result?: string | null;
}

/** Nobody changes what is read. */
const none: readonly never[] = [];

export const time = (value: Packed | undefined): number | null => (value === false ? null : (value as number));

/** What somebody wrote by hand and cannot be read is left out, and the task says so by its tags. */
export function readTask({ id, head, row, leaseUntil, shape, asides, place, result }: Found): Task {
  const state = head[0] as TaskState;
  const rules = asides.l?.[place] === undefined ? none : rulesOf(asides.l[place]);
  const dependsOn = asides.d?.[place] === undefined ? none : readDependencies(asides.d[place]);
  const checkpoints = asides.c?.[place] === undefined ? none : readCheckpoints(asides.c[place]);
  const isDamaged = rules === null || dependsOn === null || checkpoints === unreadableSteps;
  const tags = shape[10] === false ? none : shape[10];
  return {
    id,
    name: shape[0],
    queue: shape[1],
    payload: row.payload,
    schemaVersion: shape[9] === false ? null : shape[9],
    priority: shape[2],
    timeoutMs: shape[3] === false ? null : shape[3],
    policy: shape[8],
    keepMs: shape[4],
    strictCancel: shape[5],
    group: row.group,
    limits: rules ?? none,
    key: row.key,
    keyForMs: shape[7] === false ? null : shape[7],
    ifExists: shape[6],
    dependsOn: dependsOn ?? none,
    flowId: row.more[0],
    tags: isDamaged ? [...tags, corruptTag] : tags,
    traceparent: row.more[1],
    firedBy: row.more[2],
    state,
    reason: head[9] === false ? null : (head[9] as Reason),
    version: head[2] as number,
    epoch: head[3] as number,
    attempt: head[4] as number,
    generation: head[5] as number,
    crashes: head[6] as number,
    interruptions: head[7] as number,
    snoozes: head[8] as number,
    workerId: head[13] === false ? null : (head[13] as string),
    leaseUntil: state === 'running' ? leaseUntil : null,
    cancelRequestedAt: time(head[18]),
    cancelReason: asides.w?.[place] ?? null,
    progress: asides.p?.[place] === undefined ? null : readStoredProgress(asides.p?.[place]),
    checkpoints,
    result: result ?? asides.i?.[place] ?? asides.r?.[place] ?? null,
    error: asides.e?.[place] === undefined ? null : readStoredError(asides.e?.[place]),
    createdAt: row.common[1] as number,
    dueAt: head[10] as number,
    startBy: time(head[11]),
    expiresAt: time(head[12]),
    claimedAt: time(head[14]),
    startedAt: time(head[15]),
    finishedAt: time(head[16]),
    pruneAt: time(head[17]),
  };
}

/** Those that were read last: nobody changes what is read, and neighbours mostly have the same. `null` are some that cannot be read. */
let lastRules: readonly [text: string, rules: readonly LimitRule[] | null] = ['', none];

function rulesOf(text: string): readonly LimitRule[] | null {
  if (lastRules[0] !== text) lastRules = [text, readRules(text)];
  return lastRules[1];
}

/** Whether it is a list of lists, each of a name and what is right behind it. */
const areNamed =
  (isRight: (values: readonly unknown[]) => boolean) =>
  (list: unknown): boolean =>
    Array.isArray(list) &&
    list.every((one) => Array.isArray(one) && typeof one[0] === 'string' && isRight(one.slice(1)));

const areRules = areNamed(
  (values) => values.length === 3 && values.every((one) => one === false || typeof one === 'number'),
);
const areDependencies = areNamed(
  ([onFailure]) => onFailure === 'fail' || onFailure === 'cancel' || onFailure === 'ignore',
);
const areCheckpoints = areNamed(([value]) => value === null || typeof value === 'string');

function readRules(text: string): readonly LimitRule[] | null {
  const rules = readStored<readonly Rule[] | null>(text, areRules, null);
  if (rules === null) return null;
  return rules.map(([name, max, count, perMs]) => ({
    name,
    max: max === false ? null : max,
    rate: count === false || perMs === false ? null : { count, perMs },
  }));
}

function readDependencies(text: string): readonly Dependency[] | null {
  const dependencies = readStored<readonly (readonly [string, OnFailure])[] | null>(text, areDependencies, null);
  return dependencies === null ? null : dependencies.map(([taskId, onFailure]) => ({ taskId, onFailure }));
}

function readCheckpoints(text: string): readonly Checkpoint[] {
  const checkpoints = readStored<readonly (readonly [string, string | null])[] | null>(text, areCheckpoints, null);
  return checkpoints === null ? unreadableSteps : checkpoints.map(([name, value]) => ({ name, value }));
}
