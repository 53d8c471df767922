/** Defines tasks: `task()` with its handler, `contract()` for producers that must not load it. */

import { type CodeSchedule, scheduleBrand } from '../core/code-schedule.ts';
import { type Context, definitionBrand, type TaskDefinition } from '../core/definition.ts';
import type { Duration } from '../core/duration.ts';
import type { AsJson, Frozen } from '../core/json-type.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import { defaultClient } from './default-client.ts';
import type { EnqueueItem } from './enqueue-many.ts';
import type { Handle } from './handle.ts';
import { checkEnqueueOptions, type EnqueueOptions, type ItemOptions, type ManyOptions } from './options.ts';
import { defineSchedule, type ScheduleOptions } from './schedule-options.ts';
import type { AnySchema, In, Out } from './schema.ts';
import { defineTask, type TaskOptions } from './task-options.ts';

/** A task as code refers to it: to enqueue it, and to hand it to a worker. */
export interface TaskRef<Name extends string, Input, Parsed, Output> {
  readonly name: Name;
  /** Types only; `undefined` at run time. */
  readonly '~types': { readonly input: Input; readonly parsed: Parsed; readonly output: Output };
  readonly [definitionBrand]: TaskDefinition;
  /**
   * Stores one task and returns its handle. Rejects with INVALID_INPUT, INVALID_OPTION, PAYLOAD_*, ID_CONFLICT,
   * KEY_CONFLICT, or STORE_*, whose `details.id` makes a repetition safe.
   *
   * @example
   * const { id, created } = await sendWelcome.enqueue({ userId }, { delay: '3d', key: `remind:${userId}` });
   */
  enqueue(input: Input, options?: EnqueueOptions): Promise<Handle<Output>>;
  /**
   * Stores many tasks, each 1,000 of them (or 4 MiB) in one atomic step. All inputs are checked before anything is stored;
   * an error names its item. KEY_CONFLICT of one item does not undo the others. Items that all have just the fields
   * `input` and `options` are read as such, whatever the task's own input is.
   *
   * @example
   * await sendWelcome.enqueueMany([{ userId: 'a' }, { userId: 'b' }]);
   * await sendWelcome.enqueueMany([{ input: { userId: 'c' }, options: { priority: 'low' } }]);
   */
  enqueueMany(items: readonly EnqueueItem<Input>[], options?: ManyOptions): Promise<Handle<Output>[]>;
  enqueueMany(inputs: readonly Input[], options?: ManyOptions): Promise<Handle<Output>[]>;
  /**
   * Enqueues and waits for the result, at most `wait` (5 minutes when not given). Rejects like `enqueue` and
   * {@link Handle.result}; the end of the wait does not end the task.
   */
  run(input: Input, options?: ItemOptions & { readonly wait?: Duration }): Promise<Output>;
  /**
   * Makes a schedule of this task. Export it: it is stored when a server or worker with its file starts, and fires from then
   * on, whether that process lives or not. A changed one takes the place of the stored one. Throws INVALID_OPTION and
   * INVALID_INPUT for whatever is wrong: a time that never comes, a zone that nobody knows, a jitter that reaches the next
   * run, an input the task refuses.
   *
   * @example
   * export const nightly = buildReport.schedule('report.nightly', {
   *   cron: '30 2 * * *',
   *   timezone: 'Europe/Berlin',
   *   input: ({ at }) => ({ kind: 'daily', day: at.toISOString().slice(0, 10) }),
   *   overlap: 'skip',
   *   catchUp: 'latest',
   * });
   */
  schedule(name: string, options: ScheduleOptions<Input>): Schedule;
}

/** A schedule as code refers to it: something to export. */
export interface Schedule {
  readonly name: string;
  readonly [scheduleBrand]: CodeSchedule;
}

/** A task without its handler: safe to import where the handler's code must not be. */
export interface Contract<Name extends string, Input extends AnySchema, Output extends AnySchema>
  extends TaskRef<Name, In<Input>, Out<Input>, AsJson<Out<Output>>> {
  /**
   * The task with its handler, for the worker. The contract itself stays as it is. `file` is `import.meta.url` of the module
   * that exports the answer, as with `task()`: needed only for a process of its own, and only by `createWorker`.
   */
  implement<const Result extends Frozen<In<Output>>>(
    run: (input: Out<Input>, context: Context) => Promise<Result> | Result,
    place?: { readonly file?: string },
  ): TaskRef<Name, In<Input>, Out<Input>, AsJson<Out<Output>>>;
}

/** Printed by the compiler where `run` and `output` disagree; no value has this type. */
interface RunReturnsWhatItsOutputSchemaRefuses {
  readonly '~never': never;
}

/**
 * Defines a task. Nothing connects or is registered: the worker finds tasks among the exports it is given. Throws
 * INVALID_OPTION for anything that is wrong, NOT_SUPPORTED for options of a later version.
 *
 * @example
 * export const sendWelcome = task('email.welcome', {
 *   input: z.object({ userId: z.string(), locale: z.enum(['en', 'de']).default('en') }),
 *   queue: 'email',
 *   retry: { attempts: 5, delay: '2s', max: '10m' },
 *   key: 'welcome:{userId}',
 *   keyFor: '30d',
 *   async run({ userId, locale }, ctx) {
 *     ctx.log.info('sending', { locale });
 *     return { sentTo: userId };
 *   },
 * });
 */
export function task<
  const Name extends string,
  Input extends AnySchema,
  Output extends AnySchema,
  const Key extends string,
  const Slots extends string,
  const Rate extends string,
  const Group extends string,
  const Result extends Frozen<In<Output>>,
>(
  name: Name,
  options: TaskOptions<Input, Key, Slots, Rate, Group> & {
    readonly output: Output;
    run(input: Out<Input>, context: Context): Promise<Result> | Result;
  },
): TaskRef<Name, In<Input>, Out<Input>, AsJson<Out<Output>>>;
export function task<
  const Name extends string,
  Input extends AnySchema,
  Result,
  const Key extends string,
  const Slots extends string,
  const Rate extends string,
  const Group extends string,
>(
  name: Name,
  options: TaskOptions<Input, Key, Slots, Rate, Group> & {
    readonly output?: RunReturnsWhatItsOutputSchemaRefuses;
    run(input: Out<Input>, context: Context): Promise<Result> | Result;
  },
): TaskRef<Name, In<Input>, Out<Input>, AsJson<Result>>;
export function task(name: string, options: { readonly run?: unknown }): unknown {
  const run = options?.run;
  if (typeof run !== 'function')
    throw invalidOption(`The task ${String(name)}`, 'it needs a run function; a task without one is a contract(…)');
  const schedules = new Map<string, CodeSchedule>();
  return taskRef(
    defineTask(name, options, (input, context) => run.call(options, input, context), schedules),
    schedules,
  );
}

/**
 * Defines a task without its handler. Share it between the code that enqueues and the worker that implements it.
 *
 * @example
 * export const resizeImage = contract('image.resize', {
 *   input: z.object({ src: z.url(), width: z.int() }),
 *   output: z.object({ url: z.url() }),
 * });
 * // in the worker
 * export const resizeImageTask = resizeImage.implement(async ({ src, width }) => ({ url: `${src}?w=${width}` }));
 */
export function contract<
  const Name extends string,
  Input extends AnySchema,
  Output extends AnySchema,
  const Key extends string,
  const Slots extends string,
  const Rate extends string,
  const Group extends string,
>(
  name: Name,
  options: TaskOptions<Input, Key, Slots, Rate, Group> & { readonly output: Output },
): Contract<Name, Input, Output>;
export function contract(name: string, options: object): unknown {
  if (typeof options === 'object' && options !== null && 'run' in options)
    throw invalidOption(`The contract ${String(name)}`, 'it has no run function: give it to .implement(…)');
  // One map for both: what is scheduled through the contract runs in its implementation.
  const schedules = new Map<string, CodeSchedule>();
  return {
    ...taskRef(defineTask(name, options, null, schedules), schedules),
    implement(run: unknown, place: object = {}) {
      if (typeof run !== 'function') throw invalidOption(`The contract ${name}`, 'implement(…) needs a function');
      checkOptionNames(place, ['file'], [], `The place of ${name}`);
      const implemented = { ...options, ...place };
      return taskRef(
        defineTask(name, implemented, (input, context) => run(input, context), schedules),
        schedules,
      );
    },
  };
}

/** What is the same of every task: how it is enqueued and scheduled. */
export function taskRef(
  definition: TaskDefinition,
  schedules: Map<string, CodeSchedule>,
): Omit<TaskRef<string, unknown, unknown, unknown>, '~types'> {
  return {
    name: definition.name,
    [definitionBrand]: definition,
    enqueue: (input, options) => defaultClient().enqueue(definition, input, options),
    enqueueMany: (items: readonly unknown[], options?: ManyOptions) =>
      defaultClient().enqueueMany(definition, items, options),
    async run(input, options = {}) {
      const { wait, ...rest } = options;
      checkEnqueueOptions(rest);
      const handle = await defaultClient().enqueue(definition, input, rest);
      return handle.result(wait === undefined ? {} : { timeout: wait });
    },
    schedule(name, options) {
      const schedule = defineSchedule(definition, name, options);
      if (schedules.has(schedule.name))
        throw invalidOption(`Schedule ${schedule.name}`, `${definition.name} has one of this name already`);
      schedules.set(schedule.name, schedule);
      return { name: schedule.name, [scheduleBrand]: schedule };
    },
  };
}
