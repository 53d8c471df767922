/** Cuts a body into lines within bounds: whatever is sent, no more is held than the lines of one call, one that is not whole, and what came last. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { formatBytes, isLarger } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { type Clock, onNextTurn } from '../core/time.ts';
import { decodeUtf8 } from './body.ts';

export interface Line {
  readonly number: number;
  /** Or why it has none: PAYLOAD_TOO_LARGE for a line that is longer than it may be, INVALID_JSON for one that is not UTF-8. */
  readonly text: string | TaskFlowError;
}

export interface LineBounds {
  readonly lineBytesMax: number;
  /** Lines that come together, with about as many characters as one line may have bytes. */
  readonly linesMax: number;
  /** Beyond this without a byte nothing more is waited for. What the caller does with the lines does not count. */
  readonly idleMs: number;
}

const newline = 10;

const mediaTypes: ReadonlySet<string> = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl']);

/** Whether a body of this type is lines. */
export function isLines(contentType: string | null | undefined): boolean {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return type !== undefined && mediaTypes.has(type);
}

/**
 * The lines as they come, those that came together in one list, and while the caller does something with them the next are read; empty
 * ones are counted and left out. Throws INVALID_JSON when the body ends too early, and STREAM_STALLED, after the lines that came before.
 * Whoever stops early stops the reading, a little later: the end of a connection would overtake the answer.
 */
export async function* readLines(
  body: ReadableStream<Uint8Array> | null,
  bounds: LineBounds,
  clock: Clock,
): AsyncGenerator<readonly Line[]> {
  if (body === null) return;
  const cutter = createCutter(bounds.lineBytesMax);
  const gathered = createGathering(bounds);
  const reader = body.getReader();
  try {
    for (let next = readPiece(reader); ; ) {
      const piece = gathered.isEmpty() ? await inTime(clock, bounds.idleMs, next) : await ifReady(next);
      if (piece?.kind === 'bytes') {
        next = readPiece(reader);
        yield* gathered.add(cutter.cut(piece.bytes));
        if (!gathered.isFull()) continue;
      }
      if (piece?.kind === 'end') yield* gathered.add(cutter.rest());
      if (!gathered.isEmpty()) yield gathered.take();
      if (piece?.kind === 'end') return;
      if (piece?.kind === 'error') throw piece.error;
    }
  } finally {
    // Also when the answer is not wanted any more: then nobody reads the rest.
    clock.schedule(limits.streamLingerMs, () => void reader.cancel().catch(() => undefined));
  }
}

async function inTime(clock: Clock, idleMs: number, reading: Promise<Piece>): Promise<Piece> {
  const stalled = Promise.withResolvers<never>();
  const max = `${idleMs / 1_000} s`;
  const cancel = clock.schedule(idleMs, () => stalled.reject(taskFlowError('STREAM_STALLED', { max })));
  try {
    return await Promise.race([reading, stalled.promise]);
  } finally {
    cancel();
  }
}

/** What is there in this turn of the loop: a sender that is fast fills a call of the store, one that is slow waits for nothing. */
function ifReady(reading: Promise<Piece>): Promise<Piece | null> {
  return Promise.race([reading, new Promise<null>((resolve) => onNextTurn(() => resolve(null)))]);
}

type Piece =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: TaskFlowError };

/** Never rejects: it may fail before anybody waits for it. */
async function readPiece(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Piece> {
  try {
    const { done, value } = await reader.read();
    return done ? { kind: 'end' } : { kind: 'bytes', bytes: value };
  } catch (cause) {
    const error = taskFlowError('INVALID_JSON', { what: 'The stream', problem: 'it ended too early' }, { cause });
    return { kind: 'error', error };
  }
}

interface Cutter {
  cut(chunk: Uint8Array): readonly Line[];
  /** The last line, which has no end. */
  rest(): readonly Line[];
}

function createCutter(lineBytesMax: number): Cutter {
  let number = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  function hold(part: Uint8Array): void {
    heldBytes += part.length;
    if (heldBytes > lineBytesMax) held = [];
    else held.push(part);
  }

  /** Adds the next line, unless there is nothing in it. */
  function add(lines: Line[], text: Line['text']): void {
    number++;
    const told = typeof text === 'string' && isMarked(text) ? text.replace(/^\uFEFF+/, '') : text;
    if (typeof told !== 'string' || !isBlank(told)) lines.push({ number, text: told });
  }

  /** Adds the line that was begun, to its end. */
  function addBegun(lines: Line[], end: Uint8Array): void {
    const isTooLong = heldBytes + end.length > lineBytesMax;
    const bytes = isTooLong ? null : heldBytes === 0 ? end : Buffer.concat([...held, end]);
    held = [];
    heldBytes = 0;
    add(lines, bytes === null ? tooLong(lineBytesMax) : textOf(bytes));
  }

  /** Adds lines that begin here. To decode them one by one would be a fifth of what becomes of them. */
  function addWhole(lines: Line[], bytes: Uint8Array): void {
    const text = textOf(bytes);
    if (typeof text !== 'string') addEach(lines, bytes);
    else for (const line of text.split('\n')) add(lines, isLarger(line, lineBytesMax) ? tooLong(lineBytesMax) : line);
  }

  /** The same where one of them is no text. */
  function addEach(lines: Line[], bytes: Uint8Array): void {
    for (let from = 0, at = 0; at >= 0; from = at + 1) {
      at = bytes.indexOf(newline, from);
      addBegun(lines, bytes.subarray(from, at < 0 ? bytes.length : at));
    }
  }

  return {
    cut(chunk) {
      const lines: Line[] = [];
      const last = chunk.lastIndexOf(newline);
      const first = heldBytes === 0 ? -1 : chunk.indexOf(newline);
      if (first >= 0) addBegun(lines, chunk.subarray(0, first));
      if (first < last) addWhole(lines, chunk.subarray(first + 1, last));
      // A copy: a beginning of a few bytes must not keep all that came with it.
      if (last + 1 < chunk.length) hold(chunk.slice(last + 1));
      return lines;
    },
    rest() {
      const lines: Line[] = [];
      if (heldBytes > 0) addBegun(lines, new Uint8Array());
      return lines;
    },
  };
}

function textOf(bytes: Uint8Array): Line['text'] {
  try {
    return decodeUtf8(bytes, 'The line');
  } catch (error) {
    if (error instanceof TaskFlowError) return error;
    throw error;
  }
}

function tooLong(lineBytesMax: number): TaskFlowError {
  return taskFlowError('PAYLOAD_TOO_LARGE', { what: 'The line', max: formatBytes(lineBytesMax) });
}

/** Programs on Windows put a mark before a file of text, and some before each line. */
function isMarked(text: string): boolean {
  return text.charCodeAt(0) === 0xfeff;
}

/** Whether there is nothing in it but spaces, tabs and the end of a line of Windows. */
function isBlank(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== 32 && unit !== 9 && unit !== 13) return false;
  }
  return true;
}

/** Lines that go together, as many as a call may have. */
interface Gathering {
  isEmpty(): boolean;
  /** Whether there came enough pieces for it. */
  isFull(): boolean;
  /** Adds those of one piece, and answers what is full before. */
  add(lines: readonly Line[]): Generator<readonly Line[]>;
  take(): readonly Line[];
}

function createGathering({ lineBytesMax, linesMax }: Pick<LineBounds, 'lineBytesMax' | 'linesMax'>): Gathering {
  let batch: Line[] = [];
  let length = 0;
  let pieces = 0;

  function take(): readonly Line[] {
    const taken = batch;
    batch = [];
    length = 0;
    pieces = 0;
    return taken;
  }

  return {
    isEmpty: () => batch.length === 0,
    isFull: () => pieces >= limits.streamPiecesMax,
    take,
    *add(lines) {
      for (const line of lines) {
        const size = typeof line.text === 'string' ? line.text.length : 0;
        if (batch.length === linesMax || (batch.length > 0 && length + size > lineBytesMax)) yield take();
        batch.push(line);
        length += size;
      }
      pieces++;
    },
  };
}
