/** Tasks as they lie in Redis, read by whoever asks for them: most need nothing else. */

import type { Stand, Standing } from '../../core/standing.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { type Packed, unpack } from './packed.ts';
import { type Asides, createRowReader, type Row, readTask, type Shape, time } from './rows.ts';

/** Fields of a hash as they lie in the store, nothing for what is not there. */
export type Fields = readonly (Buffer | null)[];

/** What lua/raw-bodies.lua answers. */
export type RawTasks = readonly [rows: Fields, heads: readonly Buffer[], headOf: Buffer];

/** What is the same of many tasks: `null` for one that has more than a small result beside it, a lease or attempts. */
export type RawHead = readonly Packed[] | null;

/** One of them, in the order in which they were asked for. */
export interface RawTask {
  readonly head: RawHead;
  readonly row: Row;
  readonly result: string | null;
}

/** Letters that stand for no text. */
const plainLetters = /^[kghi]*$/;

/** `null` where there is no task. What tasks have in common is read once. */
export function readRawTasks([rows, headTexts, headOf]: RawTasks): readonly (RawTask | null)[] {
  const heads = headTexts.map(createHeadReader(plainHead));
  const headOfRow = createFreshHeads();
  const readRow = createRowReader();
  return rows.map((text, place) => {
    if (text === null) return null;
    const row = readRow(text);
    const head = headOf.length === 0 ? undefined : heads[headOf.readUInt16BE(2 * place) - 1];
    if (head === undefined) return { head: headOfRow(row.common), row, result: null };
    return { head: head.made, row, result: head.result };
  });
}

/** How they stand, where nothing but a small result was left. */
export function readStands(heads: Fields): readonly (Stand | null)[] {
  const readHead = createHeadReader((head) => (saysAll(head) ? standingOf(head) : null));
  return heads.map((text) => {
    if (text === null) return null;
    const { made, result } = readHead(text);
    return made === null ? null : { standing: made, result };
  });
}

/** A head, with what was made of the part that it has in common with others. */
interface ReadHead<Made> {
  readonly made: Made;
  readonly result: string | null;
}

/** Makes something of heads: of neighbours, which mostly are the same, once, and of what heads have in common once too. */
function createHeadReader<Made>(make: (head: readonly Packed[]) => Made): (text: Buffer) => ReadHead<Made> {
  const commons = new Map<string, { readonly made: Made; readonly letters: string }>();
  let lastText: Buffer = Buffer.alloc(0);
  let last: ReadHead<Made> | null = null;
  const commonOf = (text: Buffer, end: number) => {
    const name = text.toString('latin1', commonStart, end);
    const known = commons.get(name);
    if (known !== undefined) return known;
    const head = unpack(text, 1, commonStart).values[0] as readonly Packed[];
    const common = { made: make(head), letters: head[asidePlace] as string };
    commons.set(name, common);
    return common;
  };
  return (text) => {
    if (last !== null && text.equals(lastText)) return last;
    const end = commonStart + text.readUInt16BE(0);
    const { made, letters } = commonOf(text, end);
    lastText = text;
    last = { made, result: letters.includes('i') ? resultBehind(text, end, letters) : null };
    return last;
  };
}

/** Two bytes say how long the common part is. */
const commonStart = 2;

/** Key and group stand before it, where there is either. */
function resultBehind(text: Buffer, end: number, letters: string): string {
  return text.toString('utf8', /[kg]/.test(letters) ? unpack(text, 2, end).end : end);
}

/** Rules and parents are what it came with. */
const standingLetters = /^[kghild]*$/;

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
