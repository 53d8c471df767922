/** Cuts a body into lines within bounds: whatever is sent, no more is held than the lines of one call, one that is not whole, and what came last. */

import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Clock, onNextTurn } from '../core/time.ts';

/** `bytes` are `null` for a line that is longer than it may be. */
export interface Line {
  readonly number: number;
  readonly bytes: Uint8Array | null;
}

export interface LineBounds {
  readonly lineBytesMax: number;
  /** Lines that come together, with about as many bytes as one line may have. */
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

  function take(last: Uint8Array): readonly Line[] {
    number++;
    const isTooLong = heldBytes + last.length > lineBytesMax;
    const bytes = isTooLong ? null : heldBytes === 0 ? last : Buffer.concat([...held, last]);
    held = [];
    heldBytes = 0;
    return bytes?.every(isSpace) === true ? [] : [{ number, bytes }];
  }

  return {
    cut(chunk) {
      const lines: Line[] = [];
      let from = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        lines.push(...take(chunk.subarray(from, at)));
        from = at + 1;
      }
      // A copy: a beginning of a few bytes must not keep all that came with it.
      if (from < chunk.length) hold(chunk.slice(from));
      return lines;
    },
    rest: () => (heldBytes === 0 ? [] : take(new Uint8Array())),
  };
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13;
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
  let bytes = 0;
  let pieces = 0;

  function take(): readonly Line[] {
    const taken = batch;
    batch = [];
    bytes = 0;
    pieces = 0;
    return taken;
  }

  return {
    isEmpty: () => batch.length === 0,
    isFull: () => pieces >= limits.streamPiecesMax,
    take,
    *add(lines) {
      for (const line of lines) {
        const size = line.bytes?.length ?? 0;
        if (batch.length === linesMax || (batch.length > 0 && bytes + size > lineBytesMax)) yield take();
        batch.push(line);
        bytes += size;
      }
      pieces++;
    },
  };
}
