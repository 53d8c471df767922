/** The options of `task()` and `contract()`: their types, and how they become one normalised definition. */

import type { CodeSchedule } from '../core/code-schedule.ts';
import type { TaskDefinition } from '../core/definition.ts';
import type { Duration } from '../core/duration.ts';
import { parseDuration } from '../core/duration.ts';
import { retold, TaskFlowError } from '../core/errors.ts';
import { sha256Hex } from '../core/hash.ts';
import { checkHiddenNames } from '../core/hidden-names.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import { once } from '../core/once.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import { encodePolicy, type Policy, type PolicyOptions, policyOf } from '../core/policy.ts';
import { createRedaction } from '../core/redact.ts';
import type { IfExists } from '../core/task.ts';
import { type CheckedTemplate, compileTemplate } from '../core/template.ts';
import { type ConcurrencyOptions, type RateLimitOptions, readLimits } from './limit-options.ts';
import { readIfExists } from './options.ts';
import { type AnySchema, isSchema, jsonSchemaOf, type Out, parseWith } from './schema.ts';
import { type TaskDefaults, taskDefaults } from './task-defaults.ts';

/** Which errors are worth another attempt, and how long to wait for it. */
export interface RetryOptions {
  /** Runs in all, the first included: 1 to 1,000. */
  readonly attempts: number;
  /** `exponential` when not given. */
  readonly backoff?: 'fixed' | 'exponential';
  /** Before the second run; 1 s when not given. */
  readonly delay?: Duration;
  /** Growth by failure; 2 when not given. */
  readonly factor?: number;
  /** No delay is longer; 1 h when not given. */
  readonly max?: Duration;
  /** How delays are spread; `equal` (half to all of it) when not given. */
  readonly jitter?: 'equal' | 'full' | 'none';
  /** Asked after each error: `false` gives up, `true` follows the policy, a duration is the delay before the next run. */
  readonly on?: (error: unknown, attempt: number) => boolean | Duration;
}

/** How long finished tasks are kept; the project's defaults when not given. */
export interface KeepOptions {
  /** 3 days, where the project does not say. */
  readonly succeeded?: Duration;
  /** Failed and cancelled ones: 30 days, where the project does not say. */
  readonly failed?: Duration;
}

/** What a definition says beside its handler. `Key`, `Slots`, `Rate` and `Group` are the texts of its templates. */
export interface TaskOptions<
  Input extends AnySchema,
  Key extends string,
  Slots extends string = string,
  Rate extends string = string,
  Group extends string = string,
> {
  /** Standard Schema of the input: checked on enqueue and again before each run. */
  readonly input: Input;
  /** One sentence for people. */
  readonly description?: string;
  /** `default` when not given. */
  readonly queue?: string;
  /** A number of attempts, or a policy; the project's default (5 attempts) when not given, also for the parts of a policy. */
  readonly retry?: number | RetryOptions;
  /** Longest run; the project's default (1 h) when not given, `null` for none. */
  readonly timeout?: Duration | null;
  /** Template over the input, such as 'welcome:{userId}': unique among unfinished tasks. */
  readonly key?: CheckedTemplate<Key, Out<Input>>;
  /**
   * Template over the input, such as '{customerId}': the groups of a queue take turns, so that a long backlog of one holds up
   * no other. Priority orders within a group. A fixed text is one group.
   */
  readonly group?: CheckedTemplate<Group, Out<Input>>;
  /** Keeps the key for this long after success. Needs `key`; not with `ifExists` replace or debounce. */
  readonly keyFor?: Duration;
  /** What an enqueue does when the key is held: `return` (the default), `replace`, `debounce` or `error`. */
  readonly ifExists?: IfExists;
  /**
   * Tasks that run at once in all workers together: 3, or `{ limit: 1, key: '{customerId}' }` for each customer. The others
   * wait in their queue and hold nobody back. The limit is named after the task: `email.welcome`, or with a key
   * `email.welcome:<rendered key>`.
   */
  readonly concurrency?: ConcurrencyOptions<Slots, Out<Input>>;
  /**
   * Starts in a time, in all workers together: `{ limit: 100, per: '1m' }`; with a key, for each rendered key. A run that fails
   * or is handed back has used its start. It is named like `concurrency`, and is one limit with it when the names are equal.
   */
  readonly rateLimit?: RateLimitOptions<Rate, Out<Input>>;
  readonly keep?: KeepOptions;
  /**
   * Paths of values that nobody is shown: not by the API, the pages or the command line, and not in errors and log lines. They
   * begin with `input`, `result`, `steps`, `logs`, `*` or `**`: `input.card.number`, `**.password`. Handlers get the values; the store
   * has them. It travels with each task that is enqueued.
   */
  readonly redact?: readonly string[];
  /** `strict`: after a request to cancel even a success counts as cancelled; `normal` when not given. */
  readonly cancel?: 'normal' | 'strict';
  /**
   * `process`: each run has a process of its own, with a memory limit; what it prints is its log, and a run that ignores
   * its timeout or its cancellation is killed. The task must be exported by a file that the worker knows.
   */
  readonly isolate?: 'none' | 'process';
  /** Memory of that process in MB: 32 to 1,048,576; the worker's default (512) when not given. Needs `isolate: 'process'`. */
  readonly memoryMb?: number;
  /** `import.meta.url`: the file that exports the task. Needed only where nobody else knows it: by `createWorker`. */
  readonly file?: string;
}

/** The same at run time, where nothing is known yet. */
type LooseTaskOptions = Readonly<Record<string, unknown>>;

const optionNames: Readonly<Record<keyof TaskOptions<AnySchema, string>, true>> = {
  input: true,
  description: true,
  queue: true,
  retry: true,
  timeout: true,
  key: true,
  group: true,
  keyFor: true,
  ifExists: true,
  concurrency: true,
  rateLimit: true,
  keep: true,
  redact: true,
  cancel: true,
  isolate: true,
  memoryMb: true,
  file: true,
};

const descriptionMax = 1_000;
/** Enough to tell apart the versions of one schema. */
const schemaVersionLength = 12;

/**
 * Normalises a definition. Throws INVALID_OPTION or NOT_SUPPORTED for the first thing that is wrong, naming the task and
 * the option. What it does not say is taken from the project's defaults when somebody first reads its policy or timeout:
 * modules with tasks load before there is a configuration. The JSON Schema of the input is made when it is first read.
 */
export function defineTask(
  name: unknown,
  options: unknown,
  run: TaskDefinition['run'],
  schedules: ReadonlyMap<string, CodeSchedule> = new Map(),
): TaskDefinition {
  const taskName = checkName(name, 'The name of the task');
  const given = readOptions(taskName, options);
  return aboutTask(taskName, () => {
    const { input, output } = readSchemas(given);
    // Now, so that a mistake is told where it was made; and once more when the project's defaults are known.
    const { policy } = readRules(given);
    const rules = once(() => aboutTask(taskName, () => readRules(given)));
    const policyText = once(() => encodePolicy(rules().policy));
    const schema = once(() => jsonSchemaOf(input));
    const version = once(() => versionOf(schema()));
    const names = { ...readKey(given, schema), group: readGroup(given, schema), limits: readLimits(given, schema) };
    checkHiddenNames(names, createRedaction(policy.redact ?? []));
    return {
      name: taskName,
      description: readDescription(given.description),
      queue: given.queue === undefined ? 'default' : checkName(given.queue, 'queue'),
      get timeoutMs() {
        return rules().timeoutMs;
      },
      get policy() {
        return policyText();
      },
      isolate: policy.isolate,
      ...readProcess(given, policy),
      ...names,
      strictCancel: policy.strictCancel,
      get inputSchema() {
        return schema();
      },
      get schemaVersion() {
        return version();
      },
      parseInput: (value) => parseWith(input, value, taskName, 'INVALID_INPUT'),
      parseOutput: output === null ? (value) => value : (value) => parseWith(output, value, taskName, 'INVALID_OUTPUT'),
      retryOn: readRetryOn(given.retry),
      schedules,
      run,
    };
  });
}

/** Says which task an error is about: definitions are made while modules load, where a stack says little. */
function aboutTask<Value>(name: string, make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    const told = retold(error, { cause: error.cause });
    told.message = `Task ${name}: ${error.message}`;
    throw told;
  }
}

function readOptions(name: string, options: unknown): LooseTaskOptions {
  if (typeof options !== 'object' || options === null)
    throw invalidOption(`The task ${name}`, 'it needs options with an input schema');
  checkOptionNames(options, [...Object.keys(optionNames), 'output', 'run'], [], `The task ${name}`);
  return options as LooseTaskOptions;
}

function readSchemas(given: LooseTaskOptions): { readonly input: AnySchema; readonly output: AnySchema | null } {
  const { input, output = null } = given;
  const hint = 'a Standard Schema is needed, such as z.object({ … }) of zod 4';
  if (!isSchema(input)) throw invalidOption('input', hint);
  if (output !== null && !isSchema(output)) throw invalidOption('output', hint);
  return { input, output };
}

function readDescription(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value.length <= descriptionMax) return value;
  throw invalidOption('description', `a text of at most ${descriptionMax} characters is needed`);
}

/** What the defaults are part of. */
function readRules({ retry, keep, cancel, isolate, timeout, redact }: LooseTaskOptions): TaskDefaults {
  if (keep !== undefined && !isObject(keep))
    throw invalidOption('keep', 'an object with succeeded and failed is needed');
  const defaults = taskDefaults();
  return {
    policy: policyOf({ retry, keep, cancel, isolate, redact } as PolicyOptions, defaults.policy),
    timeoutMs:
      timeout === undefined
        ? defaults.timeoutMs
        : timeout === null
          ? null
          : parseDuration(timeout, 'timeout', { min: 1 }),
  };
}

function readProcess(
  { memoryMb = null, file = null }: LooseTaskOptions,
  { isolate }: Policy,
): Pick<TaskDefinition, 'memoryMb' | 'file'> {
  const { isolateMemoryMinMb: min, isolateMemoryMaxMb: max } = limits;
  if (memoryMb !== null && isolate !== 'process')
    throw invalidOption('memoryMb', "it is for a process of its own, and isolate is not 'process'");
  if (memoryMb !== null && !(Number.isInteger(memoryMb) && Number(memoryMb) >= min && Number(memoryMb) <= max))
    throw invalidOption('memoryMb', `a whole number from ${min} to ${max} is needed`);
  if (file !== null && (typeof file !== 'string' || !/^(file:|\/|[A-Za-z]:\\)/.test(file)))
    throw invalidOption('file', 'import.meta.url, or an absolute path, is needed');
  return { memoryMb: memoryMb as number | null, file };
}

function readRetryOn(retry: unknown): TaskDefinition['retryOn'] {
  if (!isObject(retry) || retry.on === undefined) return null;
  if (typeof retry.on !== 'function')
    throw invalidOption('retry.on', 'a function of the error and the attempt is needed');
  return retry.on as TaskDefinition['retryOn'];
}

function readKey(
  given: LooseTaskOptions,
  schema: () => unknown,
): Pick<TaskDefinition, 'key' | 'keyForMs' | 'ifExists'> {
  const { key = null } = given;
  const keyForMs = given.keyFor === undefined ? null : parseDuration(given.keyFor, 'keyFor', { min: 1 });
  const ifExists = readIfExists(given.ifExists ?? 'return', keyForMs);
  if (key === null) {
    // ifExists without a template is the default for keys given with an enqueue; keyFor would say nothing at all.
    if (keyForMs !== null) throw invalidOption('keyFor', 'it says how long the key is kept, and there is no key');
    return { key, keyForMs, ifExists };
  }
  if (typeof key !== 'string') throw invalidOption('key', "a template such as 'welcome:{userId}' is needed");
  compileTemplate(key, key.includes('{') ? { what: 'key', inputSchema: schema() } : { what: 'key' });
  return { key, keyForMs, ifExists };
}

function readGroup({ group = null }: LooseTaskOptions, schema: () => unknown): string | null {
  if (group === null) return null;
  if (typeof group !== 'string') throw invalidOption('group', "a template such as '{customerId}' is needed");
  compileTemplate(group, group.includes('{') ? { what: 'group', inputSchema: schema() } : { what: 'group' });
  return group;
}

/** Changes when the input schema does; `null` when the library cannot tell. */
function versionOf(schema: Readonly<Record<string, unknown>> | null): string | null {
  return schema === null ? null : sha256Hex(JSON.stringify(schema), schemaVersionLength);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
