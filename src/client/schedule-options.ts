/** The options of `task.schedule()`: their types, and how they become one normalised definition. */

import type { CodeSchedule, ScheduleFiring } from '../core/code-schedule.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { retold, TaskFlowError } from '../core/errors.ts';
import { checkWhole } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import { didYouMean } from '../core/nearest.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import { type CatchUp, type Overlap, overlaps, type ScheduleDefinition, type TaskTemplate } from '../core/schedule.ts';
import { readTiming } from '../core/schedule-timing.ts';
import { systemClock } from '../core/time.ts';
import { checkOptions, encodeInput, newTask, type PreparedInput } from './enqueue.ts';
import type { EnqueueOptions } from './options.ts';

/** When it is due: a cron expression in a zone, or an interval. */
export type ScheduleTimes =
  | {
      /** Minute, hour, day, month, weekday: '30 2 * * *'. Or '@daily' and the like. */
      readonly cron: string;
      /** The zone whose clocks it is about; UTC when not given. */
      readonly timezone?: string;
      readonly every?: never;
    }
  | {
      /** Elapsed time, counted from 1970 in UTC: '15m' is at :00, :15, :30 and :45. At least 1 s. */
      readonly every: Duration;
      readonly cron?: never;
      readonly timezone?: never;
    };

/** What becomes of times at which nothing ran. */
export type CatchUpOption =
  | 'none'
  | 'latest'
  | 'all'
  | {
      /** At most so many of the last ones: 1 to 1,000. */
      readonly all: number;
      /** None that is older; 7 days when not given. */
      readonly within?: Duration;
    };

/** When a task is fired, with which input, and what happens when something is in the way. */
export type ScheduleOptions<Input> = ScheduleTimes & {
  /** What each run gets: a value, or a function of the time it was due, which runs in the worker. */
  readonly input: Input | ((firing: ScheduleFiring) => Input | Promise<Input>);
  /**
   * While the last run is unfinished: `skip` the time (the default), `allow` both, or `queue` the new one behind it.
   */
  readonly overlap?: Overlap;
  /**
   * Times at which nothing ran: `none` is made up for (the default; a minute late is still in time), the `latest`, or `all` of
   * them, which is the last 100 within 7 days. `all` needs an overlap of `allow` or `queue`.
   */
  readonly catchUp?: CatchUpOption;
  /** Spreads schedules that are due together: this one is fired up to so much later, always by the same share of it. */
  readonly jitter?: Duration;
} & Pick<EnqueueOptions, 'queue' | 'priority' | 'tags' | 'startWithin' | 'expiresIn' | 'retry'>;

const taskOptionNames = ['queue', 'priority', 'tags', 'startWithin', 'expiresIn', 'retry'] as const;
const optionNames = ['cron', 'timezone', 'every', 'input', 'overlap', 'catchUp', 'jitter', ...taskOptionNames];
const catchUpWords: readonly string[] = ['none', 'latest', 'all'];

/**
 * Reads a schedule of a task. Throws INVALID_OPTION and INVALID_INPUT for the first thing that is wrong, naming the
 * schedule: a mistake is told where it was made, not at the time it is due.
 */
export function defineSchedule(task: TaskDefinition, name: unknown, options: unknown): CodeSchedule {
  const scheduleName = checkName(name, 'The name of the schedule');
  return about(scheduleName, () => {
    const given = readOptions(options);
    const { timing, jitterMs } = readTiming(given, systemClock.now());
    const overlap = readOverlap(given.overlap);
    const catchUp = readCatchUp(given.catchUp, overlap);
    const enqueueOptions = readEnqueueOptions(given);
    if (overlap === 'queue' && task.limits.length >= limits.limitsPerTaskMax)
      throw invalidOption('overlap', `'queue' is a limit, and ${task.name} has ${task.limits.length} already`);
    const { input } = given;
    const makeInput = typeof input === 'function' ? (input as CodeSchedule['makeInput']) : null;
    if (makeInput !== null) refuseTemplates(task);
    const prepared = makeInput === null ? prepareNow(task, input) : madeInWorker;
    return {
      name: scheduleName,
      task,
      makeInput,
      async define(): Promise<ScheduleDefinition> {
        return {
          timing,
          jitterMs,
          overlap,
          catchUp,
          input: makeInput === null ? 'stored' : 'made',
          task: templateOf(scheduleName, task, await prepared, enqueueOptions, overlap),
        };
      },
    };
  });
}

/** There is nothing to render from, and nothing to store. */
const madeInWorker: PreparedInput = { payload: '', parsed: null };

/** Throws at once where the schema answers at once. A rejection that comes later is for whoever stores the schedule. */
function prepareNow(task: TaskDefinition, input: unknown): PreparedInput | Promise<PreparedInput> {
  if (input === undefined) throw invalidOption('input', 'each run needs one; a task without input takes {}');
  const payload = encodeInput(task.name, input);
  const parsed = task.parseInput(JSON.parse(payload));
  if (!(parsed instanceof Promise)) return { payload, parsed };
  const prepared = parsed.then((value: unknown) => ({ payload, parsed: value }));
  prepared.catch(() => {});
  return prepared;
}

/** Key, group and limits are rendered where the task is enqueued, and there is no input yet. */
function refuseTemplates(task: TaskDefinition): void {
  const template = [task.key, task.group, ...task.limits.map(({ key }) => key)].find((each) => each?.includes('{'));
  if (template == null) return;
  throw invalidOption(
    'input',
    `${task.name} has the template ${JSON.stringify(template)}, which needs the input when the task is enqueued; a function makes it only in the worker`,
  );
}

function templateOf(
  schedule: string,
  definition: TaskDefinition,
  input: PreparedInput,
  options: EnqueueOptions,
  overlap: Overlap,
): TaskTemplate {
  const { id: _id, firedBy: _firedBy, delayMs: _delayMs, at: _at, ...rest } = newTask(definition, input, options, '');
  const { dependsOn: _dependsOn, blocks: _blocks, flowId: _flowId, ...task } = rest;
  const template = definition.isFlow === true ? { ...task, isFlow: true } : task;
  if (overlap !== 'queue') return template;
  return { ...template, limits: [...task.limits, { name: `schedule:${schedule}`, max: 1, rate: null }] };
}

function readOptions(options: unknown): Readonly<Record<string, unknown>> {
  if (typeof options !== 'object' || options === null)
    throw invalidOption('options', 'an object with cron or every, and input, is needed');
  checkOptionNames(options, optionNames, ['key', 'group', 'paused', 'dst'], 'The schedule');
  return { ...options };
}

function readOverlap(value: unknown = 'skip'): Overlap {
  const word = overlaps.find((each) => each === value);
  if (word !== undefined) return word;
  throw invalidOption('overlap', noWord(value, overlaps));
}

function readCatchUp(value: unknown, overlap: Overlap): CatchUp {
  const catchUp = readCatchUpKind(value);
  if (catchUp.kind === 'all' && overlap === 'skip')
    throw invalidOption(
      'catchUp',
      "with overlap 'skip' only the first of all would run: use overlap 'queue' or 'allow'",
    );
  return catchUp;
}

function readCatchUpKind(value: unknown = 'none'): CatchUp {
  if (value === 'none' || value === 'latest') return { kind: value };
  if (value === 'all') return { kind: 'all', max: limits.catchUpDefault, withinMs: limits.catchUpWithinMs };
  if (typeof value !== 'object' || value === null || !('all' in value))
    throw invalidOption('catchUp', noWord(value, catchUpWords));
  checkOptionNames(value, ['all', 'within'], [], 'catchUp');
  const { all, within } = value as { readonly all: unknown; readonly within?: unknown };
  return {
    kind: 'all',
    max: checkWhole(all, 'catchUp.all', limits.catchUpMax),
    withinMs: within === undefined ? limits.catchUpWithinMs : parseDuration(within, 'catchUp.within', { min: 1 }),
  };
}

function readEnqueueOptions(given: Readonly<Record<string, unknown>>): EnqueueOptions {
  const options = Object.fromEntries(
    taskOptionNames.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]),
  ) as EnqueueOptions;
  checkOptions(options);
  return options;
}

function noWord(value: unknown, words: readonly string[]): string {
  const guess = typeof value === 'string' ? didYouMean(value, words) : '';
  return `${JSON.stringify(value)} is none of ${words.join(', ')}.${guess}`;
}

/** Says which schedule an error is about: schedules are made while modules load, where a stack says little. */
function about<Value>(name: string, make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    const told = retold(error, { cause: error.cause });
    told.message = `Schedule ${name}: ${error.message}`;
    throw told;
  }
}
