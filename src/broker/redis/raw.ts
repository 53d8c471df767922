/** Tasks as they lie in Redis, read by whoever asks for them: most need nothing else. */

import type { Stand, Standing } from '../../core/standing.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { type Packed, unpack } from './packed.ts';
import { type Asides, createRowReader, type Row, readTask, type Shape, time } from './rows.ts';

/** Tasks as they lie in the store: what lua/raw-bodies.lua answers. */
export type RawTasks = readonly [
  rows: readonly (Buffer | null)[],
  heads: readonly Buffer[],
  headOf: Buffer,
  results: readonly Buffer[],
  resultOf: Buffer,
];

/** What is the same of many tasks: `null` for one that has more than a result beside it, a lease or attempts. */
export type RawHead = readonly Packed[] | null;

/** One of them, in the order in which they were asked for. */
export interface RawTask {
  readonly head: RawHead;
  readonly row: Row;
  readonly result: string | null;
}

/** Letters that stand for no text, or for a result. */
const plainLetters = /^[kghr]*$/;

/** `null` where there is no task. What tasks have in common is read once. */
export function readRawTasks([rows, headTexts, headOf, resultTexts, resultOf]: RawTasks): readonly (RawTask | null)[] {
  const heads = headTexts.map((head) => plainHead(unpack(head, 1, 2).values[0] as readonly Packed[]));
  const results = resultTexts.map((result) => result.toString());
  const headOfRow = createFreshHeads();
  const readRow = createRowReader();
  return rows.map((text, place) => {
    if (text === null) return null;
    const row = readRow(text);
    const number = headOf.readUInt16BE(2 * place);
    const head = number === 0 ? headOfRow(row.common) : (heads[number - 1] ?? null);
    const result = head !== null && hasResult(head) ? results[resultOf.readUInt16BE(2 * place) - 1] : null;
    return { head, row, result: result ?? null };
  });
}

/** How they stand, where nothing but a result lies beside. */
export function readStands([, headTexts, headOf, resultTexts, resultOf]: RawTasks): readonly (Stand | null)[] {
  const heads = headTexts.map((text) => unpack(text, 1, 2).values[0] as readonly Packed[]);
  const standings = heads.map((head) => (saysAll(head) ? standingOf(head) : null));
  const results = resultTexts.map((result) => result.toString());
  return Array.from({ length: headOf.length / 2 }, (_each, place) => {
    const number = headOf.readUInt16BE(2 * place) - 1;
    const standing = standings[number] ?? null;
    if (standing === null) return null;
    const result = hasResult(heads[number] ?? []) ? results[resultOf.readUInt16BE(2 * place) - 1] : null;
    return { standing, result: result ?? null };
  });
}

/** Rules and parents are what it came with. */
const standingLetters = /^[kghrld]*$/;

function saysAll(head: readonly Packed[]): boolean {
  const isPlain = head[0] !== 'running' && head[startByPlace] === false;
  return isPlain && standingLetters.test(head[asidePlace] as string);
}

/** Rows of neighbours have the same list in common. */
function createFreshHeads(): (common: readonly Packed[]) => RawHead {
  let last: readonly Packed[] | null = null;
  let head: RawHead = null;
  return (common) => {
    if (common === last) return head;
    last = common;
    head = plainHead(freshHead(common));
    return head;
  };
}

function hasResult(head: readonly Packed[]): boolean {
  return (head[asidePlace] as string).includes('r');
}

function plainHead(head: readonly Packed[]): RawHead {
  return head[0] === 'running' || !plainLetters.test(head[asidePlace] as string) ? null : head;
}

export function shapeIdOf(head: readonly Packed[]): number {
  return head[1] as number;
}

/** A task of which nothing lies anywhere else. */
export function taskOfRaw(id: string, { row, result }: RawTask, head: readonly Packed[], shape: Shape): Task {
  return readTask({ id, head, row, leaseUntil: 0, shape, asides: nothingAside, place: 0, result });
}

const nothingAside: Asides = {};

/** See lua/prelude.lua. */
const asidePlace = 23;
const startByPlace = 11;

/** The head that a task has before anybody touches it, as `freshTask` of lua/prelude.lua makes it. */
function freshHead([shape, createdAt, dueAt, startBy, expiresAt, aside]: readonly Packed[]): readonly Packed[] {
  const state = (dueAt as number) > (createdAt as number) ? 'scheduled' : 'queued';
  const counters = [1, 0, 0, 1, 0, 0, 0];
  const nothing = new Array<false>(10).fill(false);
  return [state, shape, ...counters, false, dueAt, startBy, expiresAt, ...nothing, aside] as readonly Packed[];
}

/** Of one that has no lease. */
function standingOf(head: readonly Packed[]): Standing {
  return {
    state: head[0] as TaskState,
    reason: head[9] === false ? null : (head[9] as Reason),
    version: head[2] as number,
    epoch: head[3] as number,
    attempt: head[4] as number,
    crashes: head[6] as number,
    interruptions: head[7] as number,
    snoozes: head[8] as number,
    workerId: head[13] === false ? null : (head[13] as string),
    leaseUntil: null,
    dueAt: head[10] as number,
    claimedAt: time(head[14]),
    startedAt: time(head[15]),
    finishedAt: time(head[16]),
    pruneAt: time(head[17]),
  };
}
