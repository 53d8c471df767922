/** Cuts a body into lines within bounds: whatever is sent, no more than one line and what came last is held. */

import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

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
 * The lines as they come, those that came together in one list; empty ones are counted and left out. Throws INVALID_JSON when
 * the body ends too early, and STREAM_STALLED. Whoever stops early stops the reading, a little later: the end of a connection would
 * overtake the answer.
 */
export async function* readLines(
  body: ReadableStream<Uint8Array> | null,
  { lineBytesMax, linesMax, idleMs }: LineBounds,
  clock: Clock,
): AsyncGenerator<readonly Line[]> {
  if (body === null) return;
  const cutter = createCutter(lineBytesMax);
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await inTime(clock, idleMs, readChunk(reader));
      yield* inBatches(done ? cutter.rest() : cutter.cut(value), { lineBytesMax, linesMax });
      if (done) return;
    }
  } finally {
    // Also when the answer is not wanted any more: then nobody reads the rest.
    clock.schedule(limits.streamLingerMs, () => void reader.cancel().catch(() => undefined));
  }
}

async function inTime<Value>(clock: Clock, idleMs: number, reading: Promise<Value>): Promise<Value> {
  const stalled = Promise.withResolvers<never>();
  const max = `${idleMs / 1_000} s`;
  const cancel = clock.schedule(idleMs, () => stalled.reject(taskFlowError('STREAM_STALLED', { max })));
  // What it comes to after that nobody hears.
  reading.catch(() => undefined);
  try {
    return await Promise.race([reading, stalled.promise]);
  } finally {
    cancel();
  }
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    throw taskFlowError('INVALID_JSON', { what: 'The stream', problem: 'it ended too early' }, { cause });
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

function* inBatches(
  lines: readonly Line[],
  { lineBytesMax, linesMax }: Omit<LineBounds, 'idleMs'>,
): Generator<readonly Line[]> {
  let batch: Line[] = [];
  let bytes = 0;
  for (const line of lines) {
    const size = line.bytes?.length ?? 0;
    if (batch.length === linesMax || (batch.length > 0 && bytes + size > lineBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
