/** Reads and prints durations such as '30s' and '1 h 18 m'. */
import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';

/** A length of time as people write it: a number with `ms`, `s`, `m`, `h` or `d`; a bare number is milliseconds. */
export type Duration = `${number}${DurationUnit}` | number;

/** The units of a duration. There are no months and no years: their length varies. */
export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd';

/** Bounds of one duration, in ms. Without `min` it is 0, without `max` the limit `durationMaxMs`. */
export interface DurationBounds {
  readonly min?: number;
  readonly max?: number;
}

const unitMs: Readonly<Record<DurationUnit, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const pattern = /^(\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})(ms|s|m|h|d)$/;

/**
 * Reads a duration and returns whole milliseconds, rounded. `what` names the value in errors
 * ("retry.delay"). Takes unknown values because they come from command lines and JSON as well.
 * Throws INVALID_OPTION, with the nearest form that would be accepted when there is one.
 */
export function parseDuration(value: unknown, what: string, bounds: DurationBounds = {}): number {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? readText(value) : Number.NaN;
  if (!Number.isFinite(ms)) throw invalid(what, `${shown(value)} is not a duration`, nearestForm(value));
  const { min = 0, max = limits.durationMaxMs } = bounds;
  if (ms < min) throw invalid(what, `${shown(value)} is shorter than ${shortest(min)}`, null);
  if (ms > max) throw invalid(what, `${shown(value)} is longer than ${shortest(max)}`, null);
  return Math.round(ms);
}

/**
 * Prints milliseconds for people: "82 ms", "4.2 s", "12 s", "1 m", "1 h 18 m", "3 d 4 h".
 * At most two units; smaller ones are cut, not rounded. Negative values get a minus sign.
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return `${Math.floor(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return twoUnits(ms, 'm', 's');
  if (ms < 86_400_000) return twoUnits(ms, 'h', 'm');
  return twoUnits(ms, 'd', 'h');
}

/** Prints milliseconds in the shortest form `parseDuration` reads back exactly: "90s", "1h", "1500ms". */
export function durationText(ms: number): Duration {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms !== 0 && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`;
  }
  return `${ms}ms`;
}

function readText(text: string): number {
  const match = pattern.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * unitMs[match[2] as DurationUnit];
}

function twoUnits(ms: number, large: DurationUnit, small: DurationUnit): string {
  const rest = Math.floor((ms % unitMs[large]) / unitMs[small]);
  const whole = `${Math.floor(ms / unitMs[large])} ${large}`;
  return rest === 0 ? whole : `${whole} ${rest} ${small}`;
}

/** '5 mins' → '5m', '1h30m' → '90m', '30' → '30s' or '30ms': what the writer most likely meant. */
function nearestForm(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 60) return null;
  const text = value.trim().toLowerCase();
  if (/^\d{1,9}$/.test(text)) return `'${text}s' or '${text}ms'`;
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,3})?)\s*([a-zµ]+)[\s,]*/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return null;
  let ms = 0;
  for (const part of parts) ms += Number(part[1]) * (unitOfWord(part[2] ?? '') ?? Number.NaN);
  return Number.isFinite(ms) ? `'${durationText(Math.round(ms))}'` : null;
}

function unitOfWord(word: string): number | null {
  if (/^(ms|msecs?|millis?|milliseconds?)$/.test(word)) return unitMs.ms;
  if (/^(s|secs?|seconds?)$/.test(word)) return unitMs.s;
  if (/^(m|mins?|minutes?)$/.test(word)) return unitMs.m;
  if (/^(h|hrs?|hours?)$/.test(word)) return unitMs.h;
  if (/^(d|days?)$/.test(word)) return unitMs.d;
  if (/^(w|wks?|weeks?)$/.test(word)) return unitMs.d * 7;
  return null;
}

function shortest(ms: number): string {
  return String(durationText(ms));
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value);
  if (typeof value === 'number') return String(value);
  return value === null ? 'null' : `a value of type ${typeof value}`;
}

function invalid(what: string, problem: string, nearest: string | null) {
  const hint =
    nearest === null ? "Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'." : `Did you mean ${nearest}?`;
  return taskFlowError('INVALID_OPTION', { what, problem }, { hint });
}
