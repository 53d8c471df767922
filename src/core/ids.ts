/** Makes, reads and checks task ids: UUIDv7 (RFC 9562) written as 26 characters of Crockford base32, so that text order is time order. */
import type { Chance } from './chance.ts';
import { taskFlowError } from './errors.ts';
import { sha256 } from './hash.ts';
import type { Clock } from './time.ts';

/** A source of new ids. */
export interface Ids {
  /** A new id, greater (as text) than every earlier one of this source, whatever the clock does. */
  next(): string;
  /** `count` new ids in ascending order. */
  many(count: number): string[];
}

/** The length of an id in text. */
export const idLength = 26;

// 48 bits of time, then in the first 30 of the remaining 80 bits: version (4), counter (12),
// variant (2), counter (12); then 50 random bits. The counter stands in the first 16 characters on
// purpose: lists show only those, and a bulk enqueue makes thousands of ids in one millisecond.
const counterBits = 24;
const counterMax = 2 ** counterBits - 1;
const timeLength = 10;
const msMax = 2 ** 48 - 1;
const randomWordsMax = 2048;

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const pairs = Array.from({ length: 1024 }, (_, value) => `${alphabet[value >> 5]}${alphabet[value & 31]}`);

/**
 * Makes a source of ids. Within one process ids only grow: in one millisecond a counter with a
 * random start counts up, and when the clock steps back the last time seen is kept. Two processes
 * share at most 73 random bits a millisecond, so they do not meet.
 */
export function createIds(clock: Pick<Clock, 'now'>, chance: Chance): Ids {
  const random = createRandomWords(chance);
  let lastMs = -1;
  let counter = 0;
  let time = '';

  function start(ms: number): void {
    lastMs = ms;
    time = encodeTime(ms);
    // Half of the range stays free, so that at least 8 million ids fit behind any start.
    counter = random.next() >>> (32 - counterBits + 1);
  }

  function next(): string {
    const now = clock.now();
    if (now > lastMs) start(Math.floor(now));
    else if (counter === counterMax) start(lastMs + 1);
    else counter++;
    return time + encodeTail(counter, random.next(), random.next());
  }

  return { next, many: (count) => Array.from({ length: count }, next) };
}

/**
 * The id of one firing of a schedule: the same for everybody who computes it from the same nominal
 * time (ms) and seed, so that racing schedulers enqueue one task. Laid out like every other id.
 */
export function derivedId(atMs: number, seed: string): string {
  const view = new DataView(sha256(`${atMs}|${seed}`).buffer);
  const counter = view.getUint32(0) >>> (32 - counterBits);
  return encodeTime(atMs) + encodeTail(counter, view.getUint32(4), view.getUint32(8));
}

/** The time (wall clock, ms since 1970) at which an id was made. The id must have passed `parseId`. */
export function idTime(id: string): number {
  let ms = 0;
  for (let i = 0; i < timeLength; i++) ms = ms * 32 + alphabet.indexOf(id[i] ?? '');
  return ms;
}

/** Whether the text is an id in its canonical form (upper case, nothing to correct). */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

/**
 * Reads an id as people type it: lower case is accepted, `i` and `l` mean 1, `o` means 0, spaces
 * around it are dropped. Returns the canonical form. Throws INVALID_ID with what is wrong.
 */
export function parseId(text: string): string {
  const id = normalizeId(text.trim());
  if (idPattern.test(id)) return id;
  throw taskFlowError('INVALID_ID', { text: shortened(text), problem: whyNotAnId(id) });
}

/** Corrects case and look-alike characters of an id or of the beginning of one; checks nothing. */
export function normalizeId(text: string): string {
  return text.toUpperCase().replace(/[IL]/g, '1').replace(/O/g, '0');
}

// The eleventh character carries the version (0111x: E or F), the fourteenth the variant (x10xx).
const idPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{9}[EF][0-9A-HJKMNP-TV-Z]{2}[89ABRSTV][0-9A-HJKMNP-TV-Z]{12}$/;

function whyNotAnId(id: string): string {
  if (id.length !== idLength) return `it has ${id.length} characters, an id has ${idLength}`;
  const wrong = [...id].findIndex((character) => !alphabet.includes(character));
  if (wrong >= 0) return `${JSON.stringify(id[wrong])} at ${wrong + 1} is not a digit of an id`;
  return 'its time, version or variant bits are not those of a UUIDv7';
}

function shortened(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

function encodeTime(ms: number): string {
  if (!(ms >= 0 && ms <= msMax))
    throw taskFlowError('INVALID_ID', { text: String(ms), problem: 'its time is out of range' });
  const high = Math.floor(ms / 2 ** 20);
  const low = ms % 2 ** 20;
  return pair(high >>> 20) + pair(high >>> 10) + pair(high) + pair(low >>> 10) + pair(low);
}

/** The 16 characters behind the time. 50 of the 64 given random bits are used. */
function encodeTail(counter: number, randomA: number, randomB: number): string {
  // 30 bits: 0111, counter 23..12, 10, counter 11..0
  const head = (0b0111 << 26) | ((counter >>> 12) << 14) | (0b10 << 12) | (counter & 0xfff);
  return (
    pair(head >>> 20) +
    pair(head >>> 10) +
    pair(head) +
    pair(randomA >>> 20) +
    pair(randomA >>> 10) +
    pair(randomA) +
    pair(randomB >>> 10) +
    pair(randomB)
  );
}

function pair(bits: number): string {
  return pairs[bits & 1023] ?? '';
}

/** Random words drawn from a pool: asking the system for each id would cost more than the rest of it. */
function createRandomWords(chance: Chance): { next(): number } {
  let words: DataView = new DataView(new ArrayBuffer(0));
  let offset = 0;
  // The first pool is small and each later one twice as large, so that a process that makes three ids draws little.
  let size = 16;
  function next(): number {
    if (offset === words.byteLength) {
      const bytes = chance.bytes(size * 4);
      words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      offset = 0;
      size = Math.min(size * 2, randomWordsMax);
    }
    const value = words.getUint32(offset);
    offset += 4;
    return value;
  }
  return { next };
}
