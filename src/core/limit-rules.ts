/** The rules of limits: what a rule may say, and the arithmetic of rates, equal in every store. */

import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { checkKey } from './names.ts';
import type { LimitRule } from './task.ts';

/** At most `count` starts at once, and `count` per `perMs` after. */
export type Rate = NonNullable<LimitRule['rate']>;

/** What is configured for the name of a limit; `null` leaves it to the tasks. */
export interface LimitSettings {
  readonly max: number | null;
  readonly rate: Rate | null;
}

/** What a definition says of a limit: its rule before an input gives it a name. */
export interface LimitTemplate extends LimitSettings {
  /** Template over the input; `null` is one limit for all tasks of the name. */
  readonly key: string | null;
}

/** What the limits of the queues themselves are called: no limit of a task may begin like that. */
const queueMark = '\u0001';

/** The name of the limit that all tasks of a queue carry when the queue has a maximum or a rate. */
export function queueLimitName(queue: string): string {
  return queueMark + queue;
}

/** The rule every task of a limited queue carries: what it says is configured. */
export function queueRule(queue: string): LimitRule {
  return { name: queueLimitName(queue), max: null, rate: null };
}

/** Whether both are the same rate, or none. */
export function isSameRate(left: Rate | null, right: Rate | null): boolean {
  return left?.count === right?.count && left?.perMs === right?.perMs;
}

/** What holds a task back: its own rules, and that of its queue where this is one of the limited. */
export function rulesWithQueue(
  rules: readonly LimitRule[],
  queue: string,
  limited: ReadonlySet<string>,
): readonly LimitRule[] {
  return limited.has(queue) ? [...rules, queueRule(queue)] : rules;
}

/** The queue a limit belongs to, or `null` for one of tasks. */
export function queueOfLimit(name: string): string | null {
  return name.startsWith(queueMark) ? name.slice(queueMark.length) : null;
}

/** Throws INVALID_OPTION for the name of a limit that could be taken for that of a queue. */
export function checkOwnName(name: string, what: string): void {
  if (queueOfLimit(name) !== null) throw invalid(what, 'it begins with a control character');
}

/** Nobody has configured it. */
export const noSettings: LimitSettings = { max: null, rate: null };

/** Returns the rules when a task may carry them. Throws INVALID_OPTION with the path of what is wrong (`limits[1].max`). */
export function checkLimitRules(rules: readonly LimitRule[]): readonly LimitRule[] {
  if (rules.length > limits.limitsPerTaskMax)
    throw invalid('limits', `there are ${rules.length}, at most ${limits.limitsPerTaskMax} are allowed`);
  for (const [index, { name, max, rate }] of rules.entries()) {
    const path = `limits[${index}]`;
    checkKey(name, `${path}.name`);
    checkOwnName(name, `${path}.name`);
    if (rules.findIndex((rule) => rule.name === name) !== index)
      throw invalid(`${path}.name`, `${JSON.stringify(name)} is there twice`);
    checkLimitSettings({ max, rate }, path);
  }
  return rules;
}

/** Checks a maximum and a rate, absent and `null` ones too. `path` is whose they are. Throws INVALID_OPTION. */
export function checkLimitSettings(settings: Partial<LimitSettings>, path: string): void {
  if (settings.max != null) checkWhole(settings.max, `${path}.max`, limits.limitSlotsMax);
  if (settings.rate != null) checkRate(settings.rate, `${path}.rate`);
}

/** Throws INVALID_OPTION for a rate that can never be met or not be kept exactly. */
export function checkRate({ count, perMs }: Rate, path: string): void {
  checkWhole(count, `${path}.count`, limits.rateCountMax);
  checkWhole(perMs, `${path}.perMs`, limits.ratePeriodMaxMs);
  if (count > perMs * 1_000)
    throw invalid(`${path}.count`, `more than ${perMs * 1_000} in ${perMs} ms cannot be told apart`);
}

/** Returns the number when it is a whole one from 1 to `max`. Throws INVALID_OPTION. */
export function checkWhole(value: unknown, path: string, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  const why = value === 0 ? ': with 0 no task would ever start' : '';
  throw invalid(path, `${shown(value)} is not a whole number from 1 to ${max}${why}`);
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object'
      ? 'an object'
      : String(value);
}

/** The maximum and rate in force for a task: the configured ones before its own. */
export function inForce(rule: LimitRule, settings: LimitSettings): LimitSettings {
  return { max: settings.max ?? rule.max, rate: settings.rate ?? rule.rate };
}

/**
 * The time from which the rate has a token, ms of the store's clock. `tatUs` is the time at which all tokens would be back,
 * in microseconds; 0 when none was ever taken. Whole numbers throughout: doubles would drift apart between stores.
 */
export function tokenAt(tatUs: number, rate: Rate): number {
  return Math.max(0, Math.ceil((tatUs - (rate.count - 1) * intervalUs(rate)) / 1_000));
}

/** The time at which all tokens are back once one more was taken at `now`. */
export function takeToken(tatUs: number, rate: Rate, now: number): number {
  return Math.max(tatUs, now * 1_000) + intervalUs(rate);
}

/** Rounded up: a rate that does not divide evenly is kept a little slower, never faster. */
function intervalUs({ count, perMs }: Rate): number {
  return Math.ceil((perMs * 1_000) / count);
}

function invalid(what: string, problem: string) {
  return taskFlowError('INVALID_OPTION', { what, problem });
}
