/** `concurrency` and `rateLimit` of a task: their types, how they are read, and the rules an input makes of them. */

import type { TaskDefinition } from '../core/definition.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { checkLimitRules, checkRate, checkWhole, type LimitTemplate } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { checkKey } from '../core/names.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import { readRate } from '../core/rate-text.ts';
import type { LimitRule } from '../core/task.ts';
import { type CheckedTemplate, type CompiledTemplate, compileTemplate } from '../core/template.ts';

/**
 * How many tasks may run at once, in all workers together. With a `key`, a template over the input such as
 * '{customerId}', as many for each rendered key.
 */
export type ConcurrencyOptions<Key extends string, Input> =
  | number
  | { readonly limit: number; readonly key?: CheckedTemplate<Key, Input> };

/** At most `limit` starts at once and `limit` per `per` after, in all workers together; with a `key` for each rendered key. */
export interface RateLimitOptions<Key extends string, Input> {
  readonly limit: number;
  readonly per: Duration;
  readonly key?: CheckedTemplate<Key, Input>;
}

interface Given {
  readonly concurrency?: unknown;
  readonly rateLimit?: unknown;
}

/**
 * Reads both options. Throws INVALID_OPTION for a limit that can never be met or kept, and for a template the input cannot
 * fill. One rule serves both when they have the same key, or both have none.
 */
export function readLimits({ concurrency, rateLimit }: Given, schema: () => unknown): readonly LimitTemplate[] {
  const slots = concurrency === undefined ? null : readConcurrency(concurrency, schema);
  const rate = rateLimit === undefined ? null : readRateLimit(rateLimit, schema);
  if (slots !== null && rate !== null && slots.key === rate.key) return [{ ...slots, rate: rate.rate }];
  return [slots, rate].filter((template) => template !== null);
}

function readConcurrency(given: unknown, schema: () => unknown): LimitTemplate {
  const { limit, key } =
    typeof given === 'number' ? { limit: given, key: undefined } : fieldsOf(given, ['limit', 'key'], 'concurrency');
  const max = checkWhole(limit, 'concurrency', limits.limitSlotsMax);
  return { key: readTemplate(key, 'concurrency.key', schema), max, rate: null };
}

function readRateLimit(given: unknown, schema: () => unknown): LimitTemplate {
  const { limit, per, key } = fieldsOf(given, ['limit', 'per', 'key'], 'rateLimit');
  const count = checkWhole(limit, 'rateLimit.limit', limits.rateCountMax);
  const perMs = parseDuration(per, 'rateLimit.per', { min: 1, max: limits.ratePeriodMaxMs });
  checkRate({ count, perMs }, 'rateLimit');
  return { key: readTemplate(key, 'rateLimit.key', schema), max: null, rate: { count, perMs } };
}

function fieldsOf(given: unknown, names: readonly string[], what: string): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null)
    throw invalidOption(what, `an object { ${names.join(', ')} } is needed`);
  checkOptionNames(given, names, [], what);
  return { ...given };
}

function readTemplate(key: unknown, what: string, schema: () => unknown): string | null {
  if (key === undefined) return null;
  if (typeof key !== 'string') throw invalidOption(what, "a template such as '{userId}' is needed");
  compileTemplate(key, key.includes('{') ? { what, inputSchema: schema() } : { what });
  return key;
}

/** What templates, checked once, compile to. */
const compiled = new WeakMap<LimitTemplate, CompiledTemplate>();
const noRules: readonly LimitRule[] = [];

/**
 * The rules of one task. A limit is named after its task, `email.welcome`, or with a key `email.welcome:<rendered key>`.
 * Throws INVALID_OPTION for an input the template cannot be filled from.
 */
export function renderLimits({ name, limits: templates }: TaskDefinition, parsed: unknown): readonly LimitRule[] {
  if (templates.length === 0) return noRules;
  const rules: LimitRule[] = [];
  for (const template of templates) {
    const ruleName = template.key === null ? name : `${name}:${render(template, template.key, parsed)}`;
    const rule = { name: checkKey(ruleName, 'The name of the limit'), max: template.max, rate: template.rate };
    const same = rules.findIndex((known) => known.name === ruleName);
    // Two templates that render alike speak about one limit.
    if (same >= 0) rules[same] = { ...rule, max: rules[same]?.max ?? rule.max };
    else rules.push(rule);
  }
  return rules;
}

/** Adds the limits given with an enqueue to those of the definition. Throws INVALID_OPTION with the path of what is wrong. */
export function readEnqueueLimits(rules: readonly LimitRule[], given: unknown): readonly LimitRule[] {
  if (given === undefined) return rules;
  if (!Array.isArray(given)) throw invalidOption('limits', "a list such as [{ name: 'provider', max: 5 }] is needed");
  const own = given.map((each: unknown, index): LimitRule => {
    const path = `limits[${index}]`;
    const { name, max, rate } = fieldsOf(each, ['name', 'max', 'rate'], path);
    return {
      name: checkKey(name, `${path}.name`),
      max: max === undefined ? null : checkWhole(max, `${path}.max`, limits.limitSlotsMax),
      rate: rate === undefined ? null : readGivenRate(rate, `${path}.rate`),
    };
  });
  const names = new Set(own.map(({ name }) => name));
  return checkLimitRules([...rules.filter(({ name }) => !names.has(name)), ...own]);
}

function readGivenRate(given: unknown, path: string): LimitRule['rate'] {
  const { limit, per } = fieldsOf(given, ['limit', 'per'], path);
  return readRate({ limit: checkWhole(limit, `${path}.limit`, limits.rateCountMax), per }, path);
}

function render(template: LimitTemplate, key: string, parsed: unknown): string {
  let ready = compiled.get(template);
  if (ready === undefined) {
    ready = compileTemplate(key, { what: template.rate === null ? 'concurrency.key' : 'rateLimit.key' });
    compiled.set(template, ready);
  }
  return ready.render(parsed);
}
