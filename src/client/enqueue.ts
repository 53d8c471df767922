/** Turns an input and options into the task that crosses the seam: checked, rendered, complete. */

import { anyInput, isRendered, type TaskDefinition } from '../core/definition.ts';
import { readDependencies } from '../core/dependency-option.ts';
import { parseDuration } from '../core/duration.ts';
import { retold, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { encodeDecoded, encodeJson, type JsonBounds } from '../core/json.ts';
import { copyAsJson } from '../core/json-copy.ts';
import { limits } from '../core/limits.ts';
import { checkKey, checkName } from '../core/names.ts';
import { invalidOption } from '../core/option-names.ts';
import { encodePolicy, parsePolicy, policyOf } from '../core/policy.ts';
import { parsePriority, priorities } from '../core/priority.ts';
import type { NewTask } from '../core/task.ts';
import { type CompiledTemplate, compileTemplate } from '../core/template.ts';
import { isTraceparent } from '../core/traceparent.ts';
import { readEnqueueLimits, renderLimits } from './limit-options.ts';
import { checkEnqueueOptions, type ItemOptions, readIfExists } from './options.ts';

/** An input that was encoded and validated. */
export interface PreparedInput {
  /** The input as it was given, as JSON text: the worker validates and transforms it again. */
  readonly payload: string;
  /** What the schema made of it: templates are rendered from this. */
  readonly parsed: unknown;
}

/** What templates, checked once, compile to. */
const compiledKeys = new WeakMap<TaskDefinition, CompiledTemplate>();
const compiledGroups = new WeakMap<TaskDefinition, CompiledTemplate>();

/**
 * Encodes and validates an input. It is validated in its JSON form, since that is what a worker will see. Throws, or rejects
 * with, INVALID_INPUT, PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP or PAYLOAD_NOT_JSON. A promise only where there is something
 * to wait for. `encode` is {@link encodeDecodedInput} for what was read from JSON.
 */
export function prepareInput(
  definition: TaskDefinition,
  input: unknown,
  encode: typeof encodeInput = encodeInput,
): PreparedInput | Promise<PreparedInput> {
  const payload = encode(definition.name, input);
  // Nobody looks at it.
  if (definition.parseInput === anyInput && !isRendered(definition)) return { payload, parsed: input };
  try {
    const parsed = definition.parseInput(copyAsJson(input, payload, limits.jsonDepthMax));
    if (!(parsed instanceof Promise)) return { payload, parsed };
    return parsed.then(
      (value: unknown) => ({ payload, parsed: value }),
      (error: unknown) => refuse(definition, input, error),
    );
  } catch (error) {
    return refuse(definition, input, error);
  }
}

/** An input as JSON text. Throws PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP or PAYLOAD_NOT_JSON. */
export function encodeInput(taskName: string, input: unknown): string {
  return encodeJson(input, boundsOf(taskName));
}

/** The same for an input that was read from JSON: see `encodeDecoded`. Throws PAYLOAD_TOO_LARGE and PAYLOAD_TOO_DEEP. */
export function encodeDecodedInput(taskName: string, input: unknown): string {
  return encodeDecoded(input, boundsOf(taskName));
}

function boundsOf(taskName: string): JsonBounds {
  return { what: `The input of ${taskName}`, bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax };
}

/** Rejects with the error, which gets a hint where only the JSON form is refused. */
async function refuse(definition: TaskDefinition, input: unknown, error: unknown): Promise<never> {
  if (!(error instanceof TaskFlowError) || !(await isValidUnencoded(definition, input))) throw error;
  throw retold(error, {
    cause: error.cause,
    hint: 'It is checked as JSON, where a Date is text: z.coerce.date() or z.iso.datetime() accept that.',
  });
}

/** Pure. Throws INVALID_OPTION, INVALID_ID or NOT_SUPPORTED. `id` is used when the options bring none; theirs must be canonical. */
export function newTask(definition: TaskDefinition, input: PreparedInput, options: ItemOptions, id: string): NewTask {
  checkEnqueueOptions(options);
  const { policy: policyText } = definition;
  const base = parsePolicy(policyText);
  const policy = options.retry === undefined ? base : policyOf({ retry: options.retry }, base);
  const { delayMs, at, startWithinMs, expiresInMs } = readTimes(options);
  const { key, keyForMs, ifExists } = readKey(definition, input.parsed, options);
  // Field by field: copying them out of objects costs more than the rest of a bulk enqueue's share here.
  return {
    id,
    name: definition.name,
    queue: options.queue === undefined ? definition.queue : checkName(options.queue, 'queue'),
    payload: input.payload,
    schemaVersion: definition.schemaVersion,
    priority: options.priority === undefined ? priorities.normal : parsePriority(options.priority),
    delayMs,
    at,
    startWithinMs,
    expiresInMs,
    timeoutMs: definition.timeoutMs,
    policy: options.retry === undefined ? policyText : encodePolicy(policy),
    keepMs: policy.keepFailedMs,
    strictCancel: policy.strictCancel,
    group: readGroup(definition, input.parsed, options),
    limits: readEnqueueLimits(renderLimits(definition, input.parsed), options.limits),
    key,
    keyForMs,
    ifExists,
    dependsOn: readDependencies(options.dependsOn, 'dependsOn'),
    blocks: none,
    flowId: definition.isFlow === true ? id : null,
    tags: readTags(options.tags),
    traceparent: readTraceparent(options.traceparent),
    firedBy: null,
  };
}

/**
 * Throws what `newTask` would throw for these options, without asking for the project's defaults: modules with schedules
 * load before there is a configuration.
 */
export function checkOptions(options: ItemOptions): void {
  checkEnqueueOptions(options);
  readTimes(options);
  readTags(options.tags);
  if (options.queue !== undefined) checkName(options.queue, 'queue');
  if (options.priority !== undefined) parsePriority(options.priority);
  if (options.retry !== undefined) policyOf({ retry: options.retry });
}

/** The error for a task that was not stored because `of` has its id or its key: ID_CONFLICT or KEY_CONFLICT. */
export function conflictError(task: Pick<NewTask, 'id' | 'key'>, of: string): TaskFlowError {
  if (of === task.id) return taskFlowError('ID_CONFLICT', { id: task.id });
  return taskFlowError('KEY_CONFLICT', { key: task.key ?? '', holder: of }, { details: { holder: of } });
}

async function isValidUnencoded(definition: TaskDefinition, input: unknown): Promise<boolean> {
  try {
    await definition.parseInput(input);
    return true;
  } catch {
    return false; // It is wrong as a value too: the first error says how.
  }
}

type Times = Pick<NewTask, 'delayMs' | 'at' | 'startWithinMs' | 'expiresInMs'>;

/** Of the many tasks that say nothing: nothing is made for each of them. */
const noTimes: Times = { delayMs: 0, at: null, startWithinMs: null, expiresInMs: null };
const noKey = { key: null, keyForMs: null, ifExists: 'return' } as const;
const none: readonly never[] = [];

function readTimes(options: ItemOptions): Times {
  const { at, delay, startWithin, expiresIn } = options;
  if (at === undefined && delay === undefined && startWithin === undefined && expiresIn === undefined) return noTimes;
  if (at !== undefined && delay !== undefined)
    throw invalidOption('at', 'a task has either a delay or a time, not both');
  const optional = (value: ItemOptions['delay'], what: string) =>
    value === undefined ? null : parseDuration(value, what, { min: 1 });
  return {
    delayMs: delay === undefined ? 0 : parseDuration(delay, 'delay'),
    at: at === undefined ? null : readTime(at),
    startWithinMs: optional(startWithin, 'startWithin'),
    expiresInMs: optional(expiresIn, 'expiresIn'),
  };
}

function readTime(at: unknown): number {
  const ms = at instanceof Date ? at.getTime() : Number.NaN;
  if (ms >= 0 && ms <= limits.atMaxMs) return ms;
  throw invalidOption(
    'at',
    at instanceof Date ? 'the Date is not a time from 1970 to 9999' : `a Date is needed, not a ${typeof at}`,
  );
}

/** A key given with the enqueue takes the place of the definition's template and of how long that is kept. */
function readKey(
  definition: TaskDefinition,
  parsed: unknown,
  options: ItemOptions,
): Pick<NewTask, 'key' | 'keyForMs' | 'ifExists'> {
  const key = options.key === undefined ? renderKey(definition, parsed) : checkKey(options.key, 'key');
  const inherited = options.key === undefined ? definition.keyForMs : null;
  const keyForMs = options.keyFor === undefined ? inherited : parseDuration(options.keyFor, 'keyFor', { min: 1 });
  if (key === null) {
    const alone = options.keyFor !== undefined ? 'keyFor' : options.ifExists !== undefined ? 'ifExists' : null;
    if (alone !== null) throw invalidOption(alone, 'it says what a key means, and there is no key');
    return noKey;
  }
  return { key, keyForMs, ifExists: readIfExists(options.ifExists ?? definition.ifExists, keyForMs) };
}

function renderKey(definition: TaskDefinition, parsed: unknown): string | null {
  return definition.key === null ? null : checkKey(render(compiledKeys, definition, 'key', parsed), 'key');
}

/** A group given with the enqueue takes the place of the definition's template. */
function readGroup(definition: TaskDefinition, parsed: unknown, { group }: ItemOptions): string | null {
  if (group !== undefined) return checkKey(group, 'group');
  return definition.group === null ? null : checkKey(render(compiledGroups, definition, 'group', parsed), 'group');
}

function render(
  compiled: WeakMap<TaskDefinition, CompiledTemplate>,
  definition: TaskDefinition,
  what: 'key' | 'group',
  parsed: unknown,
): string {
  let template = compiled.get(definition);
  if (template === undefined) {
    template = compileTemplate(definition[what] ?? '', { what });
    compiled.set(definition, template);
  }
  return template.render(parsed);
}

/** Each once, in their order. Throws INVALID_OPTION. */
export function readTags(tags: unknown): readonly string[] {
  if (tags === undefined) return none;
  if (!Array.isArray(tags)) throw invalidOption('tags', 'a list of words is needed');
  const words = [...new Set(tags.map((tag: unknown) => checkName(tag, 'A tag')))];
  if (words.length > limits.tagsMax)
    throw invalidOption('tags', `there are ${words.length}, at most ${limits.tagsMax} are allowed`);
  return words;
}

function readTraceparent(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && isTraceparent(value)) return value;
  throw invalidOption('traceparent', 'it is not a W3C trace context such as 00-…-…-01');
}
