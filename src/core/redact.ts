/** Takes values that nobody is shown out of the JSON of a task, and their text out of what is said about it. */

import { limits } from './limits.ts';
import { parsePolicy } from './policy.ts';
import { follow, isHidden, type Reach, type RedactRoot, reachOf, redactMark } from './redact-paths.ts';
import { createSteps, type Step } from './redact-steps.ts';

/** Stands where a hidden value is. */
export const redactedText = '[redacted]';
const mask = JSON.stringify(redactedText);

/** What some paths hide. Nothing of it throws: of text that is no JSON all is hidden. */
export interface Redaction {
  readonly paths: readonly string[];
  /** The text with the mask in place of what is hidden; the first `enough` characters of that. */
  json(root: RedactRoot, text: string, enough?: number): string;
  /** Whether the value at a path of keys is hidden, or within something hidden. */
  hides(root: RedactRoot, path: readonly string[]): boolean;
  /** Whether the mask itself is a value where values are hidden: somebody sends back what they were shown. */
  holdsMask(root: RedactRoot, text: string): boolean;
  /** The hidden values as JSON texts. */
  hidden(root: RedactRoot, text: string): readonly string[];
}

/** `paths` in their stored form; `null` for none. `step` remembers where keys lead, also for others. */
export function createRedaction(paths: readonly string[], step: Step = createSteps()): Redaction | null {
  if (paths.length === 0) return null;
  const reaches = new Map<RedactRoot, Reach>();
  const from = (root: RedactRoot): Reach => {
    const known = reaches.get(root) ?? reachOf(paths, root);
    reaches.set(root, known);
    return known;
  };
  const ranges = (root: RedactRoot, text: string, enough = Number.POSITIVE_INFINITY) =>
    rangesOf(text, from(root), step, enough);
  return {
    paths,
    json(root, text, enough) {
      const found = ranges(root, text, enough);
      let [shown, end] = ['', 0];
      for (const range of found) {
        shown += text.slice(end, range.from) + mask;
        end = range.to;
      }
      // Behind that nobody has looked.
      return enough === undefined ? shown + text.slice(end) : (shown + text.slice(end, end + enough)).slice(0, enough);
    },
    hides(root, path) {
      let reach = from(root);
      for (const key of path) {
        if (isHidden(reach)) return true;
        // A number may be a place in a list, in Postgres with a sign too.
        reach = /^[+-]?\d+$/.test(key) ? [...follow(reach, key), ...follow(reach, null)] : follow(reach, key);
      }
      return isHidden(reach);
    },
    holdsMask: (root, text) =>
      text.includes(mask) && ranges(root, text).some(({ from, to }) => text.slice(from, to) === mask),
    hidden: (root, text) => ranges(root, text).map(({ from, to }) => text.slice(from, to)),
  };
}

/** What is hidden of a task, by its stored policy: what that says, and `paths` beside it. `null` where nothing is, at the cost of a look at the text. */
export type RedactionOf = (policy: string) => Redaction | null;

/** `paths` in their stored form. */
export function createRedactions(paths: readonly string[]): RedactionOf {
  const step = createSteps();
  const always = createRedaction(paths, step);
  const known = new Map<string, Redaction | null>();
  return (policy) => {
    if (!policy.includes(redactMark)) return always;
    const found = known.get(policy);
    if (found !== undefined) return found;
    const made = createRedaction([...new Set([...paths, ...(parsePolicy(policy).redact ?? [])])], step);
    // A namespace has as many policies as it has definitions, but whoever enqueues can send others.
    if (known.size >= limits.redactPoliciesMax) known.clear();
    known.set(policy, made);
    return made;
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Where hidden values are, in their order. */
function rangesOf(text: string, reach: Reach, step: Step, enough: number): readonly Range[] {
  if (reach.length === 0) return [];
  const reader = new Reader(text, step, enough);
  try {
    reader.whole(reach);
  } catch (error) {
    if (error instanceof SyntaxError) return [{ from: 0, to: text.length }];
    throw error;
  }
  return reader.ranges;
}

const unreadable = () => new SyntaxError('It is no JSON.');

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/** A space, `,`, `]` or `}`. */
const isEnd = (code: number): boolean => code === 44 || code === 93 || code === 125 || isSpace(code);

/** Walks over JSON text without making values of it: numbers stay as they were written, and a megabyte is read in milliseconds. */
class Reader {
  readonly ranges: Range[] = [];
  readonly #text: string;
  readonly #step: Step;
  readonly #enough: number;
  #at = 0;
  /** Characters of hidden values so far. */
  #hidden = 0;

  constructor(text: string, step: Step, enough: number) {
    this.#text = text;
    this.#step = step;
    this.#enough = enough;
  }

  whole(reach: Reach): void {
    this.value(reach, 0);
    this.#space();
    if (this.#at < this.#text.length && !this.#isEnough) throw unreadable();
  }

  /** Reads one value; `null` reaches nothing in it. */
  value(reach: Reach | null, depth: number): void {
    this.#space();
    const from = this.#at;
    const hides = reach !== null && isHidden(reach);
    const below = hides || reach === null || reach.length === 0 ? null : reach;
    const first = this.#text[from];
    if (first === '"') this.#string();
    else if (first === '{' || first === '[') this.#members(first === '{', below, depth + 1);
    else this.#word();
    if (!hides) return;
    this.ranges.push({ from, to: this.#at });
    this.#hidden += this.#at - from - mask.length;
  }

  get #isEnough(): boolean {
    return this.#at - this.#hidden > this.#enough;
  }

  #members(isObject: boolean, reach: Reach | null, depth: number): void {
    if (depth > limits.redactDepthMax) throw unreadable();
    const end = isObject ? '}' : ']';
    const inList = isObject || reach === null ? null : this.#step(reach, null);
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#isEnough && reach !== null) return;
      this.value(isObject ? this.#below(reach) : inList, depth);
      this.#space();
      const next = this.#text[this.#at++];
      if (next === end) return;
      if (next !== ',') {
        if (this.#isEnough) return;
        throw unreadable();
      }
    }
  }

  /** Reads a key and its colon. */
  #below(reach: Reach | null): Reach | null {
    this.#space();
    const from = this.#at;
    this.#string();
    const to = this.#at;
    this.#space();
    if (this.#text[this.#at++] !== ':') throw unreadable();
    if (reach === null) return null;
    const quoted = this.#text.slice(from, to);
    return this.#step(reach, quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1));
  }

  #string(): void {
    if (this.#text[this.#at] !== '"') throw unreadable();
    let end = this.#at;
    for (;;) {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw unreadable();
      let escapes = end - 1;
      while (this.#text[escapes] === '\\') escapes--;
      if ((end - escapes) % 2 === 1) break;
    }
    this.#at = end + 1;
  }

  /** A number, or one of three words. */
  #word(): void {
    const from = this.#at;
    while (this.#at < this.#text.length && !isEnd(this.#text.charCodeAt(this.#at))) this.#at++;
    if (this.#at === from) throw unreadable();
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }
}
