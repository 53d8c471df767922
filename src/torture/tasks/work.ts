/** The tasks of a torture: every way in which a handler may behave, as its input says. What each run does is noted. */

import { basename } from 'node:path';
import process from 'node:process';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { task } from '../../client/define.ts';
import type { Context } from '../../core/definition.ts';
import { once } from '../../core/once.ts';
import { sleep, systemClock } from '../../core/time.ts';
import { fatal, snooze } from '../../core/verdicts.ts';
import { type HandlerNote, machineMs, openNotes } from '../notes.ts';
import { childNumber, tickNumber } from '../numbers.ts';

export type Deed =
  | 'ok'
  | 'throw'
  | 'fatal'
  | 'snooze'
  | 'report'
  | 'steps'
  | 'spawn'
  | 'big'
  | 'hang'
  | 'ignore'
  | 'block'
  | 'bomb'
  | 'exit';

export interface Work {
  readonly n: number;
  readonly does?: Deed;
  readonly ms?: number;
  /** How many attempts (for `throw` and `hang`), or claims (for what ends a process), do it; later ones succeed. */
  readonly times?: number;
  readonly lane?: string;
}

/** No library: it would cost each of many processes 50 ms. */
const anyWork: StandardSchemaV1<Work> = {
  '~standard': { version: 1, vendor: 'taskflow', validate: (value) => ({ value: value as Work }) },
};

/** Longer than a client repeats a call and a server is stopped, or a task could come back from the dead. */
const keep = { succeeded: '40s', failed: '40s' } as const;
const retry = { attempts: 4, delay: '200ms', max: '2s' } as const;
const base = { input: anyWork, keep, retry, timeout: '30s' } as const;

export const plain = task('torture.plain', { ...base, queue: 'bulk', run: work });
export const mixed = task('torture.mixed', { ...base, run: work });
export const short = task('torture.short', { ...base, retry: { ...retry, attempts: 2 }, timeout: '1500ms', run: work });
export const keyed = task('torture.keyed', { ...base, key: 'keyed:{lane}', run: work });
export const slots = task('torture.slots', { ...base, concurrency: { limit: 3, key: '{lane}' }, run: work });
export const rated = task('torture.rated', { ...base, rateLimit: { limit: 20, per: '1s', key: '{lane}' }, run: work });
export const strict = task('torture.strict', { ...base, cancel: 'strict', run: work });
export const isolated = task('torture.isolated', { ...base, isolate: 'process', run: work });
export const tick = task('torture.tick', { ...base, run: work });

/** Each second of the run has one: none is left out, whatever was away then. */
export const everySecond = tick.schedule('torture.second', {
  every: '1s',
  input: ({ at }) => ({ n: tickNumber(at.getTime()) }),
  overlap: 'allow',
  catchUp: { all: 1_000, within: '1h' },
});

/** By their names, for whoever enqueues them. */
export const tasks = { plain, mixed, short, keyed, slots, rated, strict, isolated } as const;

/** Whether this is a process for one run: what its worker starts, not the worker. */
const isOwn = basename(process.argv[1] ?? '').startsWith('child-main.');
const notes = once(() => openNotes(process.env.TORTURE_FOLDER ?? '.', 'handlers', Number(process.env.TORTURE_PROCESS)));
const write = (note: HandlerNote): void => notes()([note]);

async function work(input: Work, ctx: Context): Promise<{ readonly epoch: number; readonly more?: string }> {
  const run = [ctx.id, ctx.fencingToken, ctx.attempt, input.n] as const;
  write(isOwn ? [machineMs(), 'begin', ...run, { own: true }] : [machineMs(), 'begin', ...run]);
  if (input.does === undefined) {
    write([machineMs(), 'end', ...run, { how: 'returned' }]);
    return { epoch: ctx.fencingToken };
  }
  const onAbort = (): void => write([machineMs(), 'abort', ...run]);
  ctx.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const more = await act(input, ctx);
    write([machineMs(), 'end', ...run, { how: 'returned' }]);
    return { epoch: ctx.fencingToken, ...(more === undefined ? {} : { more }) };
  } catch (error) {
    write([machineMs(), 'end', ...run, { how: 'threw' }]);
    throw error;
  } finally {
    ctx.signal.removeEventListener('abort', onAbort);
  }
}

async function act(input: Work, ctx: Context): Promise<string | undefined> {
  const { does, ms = 0, times = 1, n } = input;
  const { signal } = ctx;
  const isEarly = ctx.fencingToken <= times;
  switch (does) {
    case 'throw':
      await sleep(systemClock, ms, signal);
      if (ctx.attempt <= times) throw new Error(`attempt ${ctx.attempt} of ${n} fails`);
      return undefined;
    case 'fatal':
      throw fatal('it is hopeless');
    case 'snooze':
      if (isEarly) throw snooze(ms);
      return undefined;
    case 'report':
      return report(ms, ctx);
    case 'steps':
      return steps(n, ms, times, ctx);
    case 'spawn':
      return spawn(n, times, ctx);
    case 'big':
      return 'x'.repeat(20_000);
    case 'hang':
      if (ctx.attempt <= times) await sleep(systemClock, 600_000, signal);
      return undefined;
    case 'ignore':
      await sleep(systemClock, ms);
      return undefined;
    case 'block':
      if (isEarly) block(ms, [ctx.id, ctx.fencingToken, ctx.attempt, n]);
      return undefined;
    case 'bomb':
      if (isEarly) hoard([ctx.id, ctx.fencingToken, ctx.attempt, n]);
      return undefined;
    case 'exit':
      if (isEarly) leave();
      return undefined;
    default:
      if (ms > 0) await sleep(systemClock, ms, signal);
      return undefined;
  }
}

async function report(ms: number, ctx: Context): Promise<undefined> {
  for (let done = 1; done <= 4; done++) {
    await sleep(systemClock, ms / 4, ctx.signal);
    ctx.progress(done, 4, `part ${done}`);
    ctx.log.info(`part ${done}`, { done });
  }
}

async function steps(n: number, ms: number, times: number, ctx: Context): Promise<undefined> {
  const generation = Number(ctx.idempotencyKey.split(':')[1]);
  const run = [ctx.id, ctx.fencingToken, ctx.attempt, n] as const;
  const step = async (name: string): Promise<void> => {
    await ctx.step(name, () => {
      write([machineMs(), 'step', ...run, { step: name, generation }]);
      return sleep(systemClock, ms / 4, ctx.signal).then(() => name);
    });
    write([machineMs(), 'kept', ...run, { step: name, generation }]);
  };
  await step('one');
  await Promise.all([step('two'), step('three')]);
  if (ctx.attempt <= times) throw new Error(`attempt ${ctx.attempt} of ${n} fails after its steps`);
  await step('four');
}

/** Two children, which come with a success and with nothing else. */
async function spawn(n: number, times: number, ctx: Context): Promise<undefined> {
  for (const index of [0, 1]) {
    const child = childNumber(n, ctx.fencingToken, index);
    const { id } = await ctx.spawn(plain, { n: child });
    write([machineMs(), 'spawn', ctx.id, ctx.fencingToken, ctx.attempt, n, { child: [id, child] }]);
  }
  if (ctx.attempt <= times) throw new Error(`attempt ${ctx.attempt} of ${n} fails after it has spawned`);
}

type Run = readonly [taskId: string, epoch: number, attempt: number, n: number];

/** In the worker all of it stands still, which is told by `block`; a process of its own only hears nothing. */
function numb(doing: 'block' | 'bomb', run: Run): void {
  if (isOwn) write([machineMs(), 'numb', ...run]);
  write([machineMs(), doing, isOwn]);
}

function block(ms: number, run: Run): void {
  numb('block', run);
  const until = systemClock.elapsed() + ms;
  while (systemClock.elapsed() < until);
  write([machineMs(), 'free', isOwn]);
}

/** Takes what the process may have, and more. */
function hoard(run: Run): never {
  numb('bomb', run);
  const kept: unknown[] = [];
  for (;;) kept.push(new Array(100_000).fill(kept.length));
}

/** What a process says that a handler ended. */
export const leaveCode = 42;

function leave(): never {
  write([machineMs(), 'exit', isOwn]);
  process.exit(leaveCode);
}
