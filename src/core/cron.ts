/** Cron expressions in a time zone: when the next and the last time is. croner reads them; what daylight saving means is said here. */

import { Cron } from 'croner';
import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { dateOf } from './time.ts';
import { localTime, wallTime } from './zone.ts';

const dayMs = 86_400_000;

/** A cron expression and the zone whose clocks it is about. */
export interface CronTiming {
  readonly cron: string;
  readonly timezone: string;
}

/**
 * Returns the expression in its plain form (single blanks) when it has five fields and names a time. `path` names it in
 * INVALID_OPTION. Whether that time ever comes is another question: see `nextCronTime`.
 */
export function checkCron(text: unknown, path: string): string {
  if (typeof text !== 'string') throw invalid(path, `a ${typeof text} is not a cron expression`);
  if (text.length > limits.cronMax)
    throw invalid(path, `it has ${text.length} characters, at most ${limits.cronMax} are allowed`);
  const plain = text.trim().split(/\s+/).join(' ');
  if (plain.includes('?')) throw invalid(path, 'a "?" means different things in different programs; write *');
  if (!plain.startsWith('@') && plain.split(' ').length !== 5) throw invalid(path, problemOfFields(plain));
  try {
    compile(plain);
  } catch (error) {
    throw invalid(path, `${JSON.stringify(plain)}: ${wordsOf(error)}`);
  }
  return plain;
}

/**
 * The first time after `after`; `null` when there is none within `limits.cronSearchMs`. A local time that a clock change
 * leaves out comes at the first instant after the gap, all such times together once; a doubled one at its first
 * occurrence only.
 */
export function nextCronTime({ cron, timezone }: CronTiming, after: number): number | null {
  const question = `${cron}|${timezone}|${after}`;
  const known = answers.get(question);
  if (known !== undefined) return known;
  const found = nextMatch(cron, timezone, after);
  const answer = found === null || found.at > after + limits.cronSearchMs ? null : found.at;
  if (answers.size >= answersMax) answers.clear();
  answers.set(question, answer);
  return answer;
}

/** An answer takes some 40 µs to find, and a hundred thousand schedules of one minute all ask the same. */
const answers = new Map<string, number | null>();
const answersMax = 1_000;

/** The last time at or before `at`; `null` when there is none within `limits.cronSearchMs`. */
export function lastCronTime({ cron, timezone }: CronTiming, at: number): number | null {
  // Matches of local times come in the order of their instants: the one before the first that is later is the last.
  const later = nextMatch(cron, timezone, at);
  const from = later === null ? wallTime(timezone, at) + 2 * dayMs : later.wallMs;
  const [match] = compile(cron).previousRuns(1, dateOf(from));
  if (match === undefined) return null;
  const found = localTime(timezone, match.getTime()).at;
  return found < at - limits.cronSearchMs ? null : found;
}

/** The first match whose instant is after `after`, with what the clocks show then. */
function nextMatch(cron: string, zone: string, after: number): { readonly at: number; readonly wallMs: number } | null {
  const compiled = compile(cron);
  let wallMs = wallTime(zone, after);
  // In the second pass of a doubled hour the times that are left of it have been: at most one for each of its minutes.
  for (;;) {
    const match = compiled.nextRun(dateOf(wallMs));
    if (match === null) return null;
    wallMs = match.getTime();
    const { at } = localTime(zone, wallMs);
    if (at > after) return { at, wallMs };
  }
}

/** Reading one costs more than asking it, and schedules repeat themselves. */
const compiledCrons = new Map<string, Cron>();
const compiledMax = 1_000;

/** croner in a calendar without zones, so that none of its own rules about clock changes applies. */
function compile(cron: string): Cron {
  const known = compiledCrons.get(cron);
  if (known !== undefined) return known;
  const made = new Cron(cron, { timezone: 'UTC', mode: '5-part' });
  if (compiledCrons.size >= compiledMax) compiledCrons.clear();
  compiledCrons.set(cron, made);
  return made;
}

function problemOfFields(text: string): string {
  const fields = text === '' ? 0 : text.split(' ').length;
  const seconds = fields === 6 ? "; for seconds use every: '10s'" : '';
  return `${JSON.stringify(text)} has ${fields} fields, 5 are needed: minute, hour, day, month, weekday${seconds}`;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
}

function invalid(what: string, problem: string) {
  return taskFlowError('INVALID_OPTION', { what, problem }, { hint: "Such as '30 2 * * *' for 02:30 every day." });
}
