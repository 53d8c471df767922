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
const headLength = 6;
const msMax = 2 ** 48 - 1;
const randomWordsMax = 2048;

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codes = Uint8Array.from(alphabet, (digit) => digit.charCodeAt(0));

/**
 * Makes a source of ids. Within one process ids only grow: in one millisecond a counter with a
 * random start counts up, and when the clock steps back the last time seen is kept. Two processes
 * share at most 73 random bits a millisecond, so they do not meet.
 */
export function createIds(clock: Pick<Clock, 'now'>, chance: Chance): Ids {
  const random = createRandomWords(chance);
  let lastMs = -1;
  let counter = 0;
  let time = new Uint8Array(timeLength);

  function start(ms: number): void {
    lastMs = ms;
    time = timeCodes(ms);
    // Half of the range stays free, so that at least 8 million ids fit behind any start.
    counter = random.next() >>> (32 - counterBits + 1);
  }

  function nextAt(now: number): string {
    if (now > lastMs) start(Math.floor(now));
    else if (counter === counterMax) start(lastMs + 1);
    else counter++;
    return idText(time, counter, random.next(), random.next());
  }

  return {
    next: () => nextAt(clock.now()),
    many(count) {
      const now = clock.now();
      const ids = new Array<string>(count);
      for (let i = 0; i < count; i++) ids[i] = nextAt(now);
      return ids;
    },
  };
}

/**
 * The id of one firing of a schedule: the same for everybody who computes it from the same nominal
 * time (ms) and seed, so that racing schedulers enqueue one task. Laid out like every other id.
 */
export function derivedId(atMs: number, seed: string): string {
  const view = new DataView(sha256(`${atMs}|${seed}`).buffer);
  const counter = view.getUint32(0) >>> (32 - counterBits);
  return idText(timeCodes(atMs), counter, view.getUint32(4), view.getUint32(8));
}

/** The time (wall clock, ms since 1970) at which an id was made. The id must have passed `parseId`. */
export function idTime(id: string): number {
  let ms = 0;
  for (let i = 0; i < timeLength; i++) ms = ms * 32 + alphabet.indexOf(id[i] ?? '');
  return ms;
}

/** The greatest id of the same moment: its time and counter alone are those of the given one. The id must have passed `parseId`. */
export function endOfMoment(id: string): string {
  return id.slice(0, timeLength + headLength).padEnd(idLength, alphabet.at(-1));
}

/** Whether the text is an id in its canonical form (upper case, nothing to correct). */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

/**
 * Reads an id as people type it: lower case is accepted, `i` and `l` mean 1, `o` means 0, spaces
 * around it are dropped; and as other programs write a UUIDv7, in hex with four dashes. Returns the canonical form.
 * Throws INVALID_ID with what is wrong.
 */
export function parseId(text: string): string {
  if (idPattern.test(text)) return text;
  const given = text.trim();
  const id = uuidPattern.test(given) ? idOfUuid(given) : normalizeId(given);
  if (idPattern.test(id)) return id;
  throw taskFlowError('INVALID_ID', { text: shortened(text), problem: whyNotAnId(id) });
}

/** Corrects case and look-alike characters of an id or of the beginning of one; checks nothing. */
export function normalizeId(text: string): string {
  return text.toUpperCase().replace(/[IL]/g, '1').replace(/O/g, '0');
}

// The eleventh character carries the version (0111x: E or F), the fourteenth the variant (x10xx).
const idPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{9}[EF][0-9A-HJKMNP-TV-Z]{2}[89ABRSTV][0-9A-HJKMNP-TV-Z]{12}$/;

const uuidPattern = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** The same 128 bits in the digits of an id. */
function idOfUuid(uuid: string): string {
  let bits = BigInt(`0x${uuid.replaceAll('-', '')}`);
  let id = '';
  for (let place = 0; place < idLength; place++, bits >>= 5n) id = `${alphabet[Number(bits & 31n)]}${id}`;
  return id;
}

function whyNotAnId(id: string): string {
  if (id.length !== idLength) return `it has ${id.length} characters, an id has ${idLength}`;
  const wrong = [...id].findIndex((character) => !alphabet.includes(character));
  if (wrong >= 0) return `${JSON.stringify(id[wrong])} at ${wrong + 1} is not a digit of an id`;
  return 'its time, version or variant bits are not those of a UUIDv7';
}

function shortened(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

/** The digits of a time. */
function timeCodes(ms: number): Uint8Array<ArrayBuffer> {
  if (!(ms >= 0 && ms <= msMax))
    throw taskFlowError('INVALID_ID', { text: String(ms), problem: 'its time is out of range' });
  const digits = new Uint8Array(timeLength);
  for (let place = timeLength - 1, rest = ms; place >= 0; place--, rest = Math.floor(rest / 32))
    digits[place] = code(rest % 32);
  return digits;
}

/**
 * Behind the time 30 bits of head and 50 of the 64 given random bits. Digit by digit: put together of parts a text is only a plan of one, which
 * costs three times as much when it is read.
 */
function idText(time: Uint8Array, counter: number, randomA: number, randomB: number): string {
  // 0111, counter 23..12, 10, counter 11..0
  const head = (0b0111 << 26) | ((counter >>> 12) << 14) | (0b10 << 12) | (counter & 0xfff);
  // biome-ignore format: ten digits, then six, six and four
  return String.fromCharCode(
    at(time, 0), at(time, 1), at(time, 2), at(time, 3), at(time, 4), at(time, 5), at(time, 6), at(time, 7), at(time, 8), at(time, 9),
    code(head >>> 25), code(head >>> 20), code(head >>> 15), code(head >>> 10), code(head >>> 5), code(head),
    code(randomA >>> 25), code(randomA >>> 20), code(randomA >>> 15), code(randomA >>> 10), code(randomA >>> 5), code(randomA),
    code(randomB >>> 15), code(randomB >>> 10), code(randomB >>> 5), code(randomB),
  );
}

/** The digit for five bits. */
function code(bits: number): number {
  return codes[bits & 31] ?? 0;
}

function at(digits: Uint8Array, place: number): number {
  return digits[place] ?? 0;
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
