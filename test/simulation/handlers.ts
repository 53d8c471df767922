/** What the simulated handlers do, as the payload of each task says for each of its runs. */

import type { Effect } from '../../src/checker/evidence.ts';
import { type Context, type TaskDefinition, type TaskLike, waits } from '../../src/core/definition.ts';
import { sleep } from '../../src/core/time.ts';
import { fatal, snooze } from '../../src/core/verdicts.ts';
import { branded, createDefinition } from '../support/worker-rig.ts';
import { codeSchedules } from './code-schedules.ts';
import type { SimProcess } from './sim-process.ts';

/** One run: `ms` is how long it takes. */
export interface Behaviour {
  readonly does:
    | 'ok'
    | 'throw'
    | 'fatal'
    | 'snooze'
    | 'progress'
    | 'steps'
    | 'hang'
    | 'ignore'
    | 'grumble'
    | 'block'
    | 'exit';
  readonly ms: number;
}

export interface SimPayload {
  readonly n: number;
  /** By claim; a run beyond the last one is a short success. */
  readonly runs: readonly Behaviour[];
  readonly family?: Family;
}

/** What a run that ends well brings along. */
export interface Family {
  /** How the first run of each goes; the next is a short success. The second waits for the first. */
  readonly members: readonly Behaviour[];
  /** Whether it runs again when they have ended; only one of its first runs does. */
  readonly holds: boolean;
  /** Who else waits for the first of them from then on. */
  readonly blocks: readonly string[];
}

/** Task names: every worker knows the first, some know the second, none the last before the world is healed. */
export const taskNames = ['work', 'rare', 'late'] as const;

export function createHandlers(
  process: SimProcess,
  names: readonly string[],
  nextNumber: () => number,
  note: (effect: Omit<Effect, 'at' | 'pid'>) => void,
): readonly TaskDefinition[] {
  return names.map((name) => ({
    ...createDefinition(name, async (input, context) => {
      const { n, runs, family } = input as SimPayload;
      const run = { taskId: context.id, epoch: context.fencingToken, attempt: context.attempt, n };
      const step: Step = async (name, ms) => {
        const which = { ...run, step: name, generation: Number(context.idempotencyKey.split(':')[1]) };
        await context.step(name, () => {
          note({ what: 'step', ...which });
          return sleep(process.clock, ms, context.signal);
        });
        note({ what: 'kept', ...which });
      };
      const behaviour = runs[context.fencingToken - 1] ?? { does: 'ok', ms: 5 };
      note({ what: 'begin', ...run });
      context.signal.addEventListener('abort', () => note({ what: 'abort', ...run }), { once: true });
      let isWaiting = false;
      try {
        await behave(process, behaviour, context, step);
        if (family !== undefined) isWaiting = await bringAlong(context, family, nextNumber);
      } catch (error) {
        note({ what: 'end', how: 'threw', ...run });
        throw error;
      }
      note({ what: 'end', how: 'returned', ...run });
      return isWaiting ? waits : { epoch: context.fencingToken };
    }),
    schedules: codeSchedules,
  }));
}

const member = branded(createDefinition(taskNames[0], () => null)) as unknown as TaskLike<SimPayload, unknown>;
const runsThatHold = 2;

/** Spawns the members. Answers whether the task has to run again after them. */
async function bringAlong(context: Context, family: Family, nextNumber: () => number): Promise<boolean> {
  const holds = family.holds && context.fencingToken <= runsThatHold;
  const spawned: string[] = [];
  for (const behaviour of family.members) {
    const [elder] = spawned;
    const blocks = elder === undefined ? family.blocks : [];
    const { id } = await context.spawn(
      member,
      { n: nextNumber(), runs: [behaviour] },
      {
        ...(elder === undefined ? {} : { dependsOn: [{ task: elder, onFailure: 'ignore' }] }),
        blocks: [...blocks, ...(holds ? [context.id] : [])].map((task) => ({ task, onFailure: 'ignore' })),
      },
    );
    spawned.push(id);
  }
  return holds;
}

type Step = (name: string, ms: number) => Promise<void>;

async function behave(process: SimProcess, { does, ms }: Behaviour, context: Context, step: Step): Promise<void> {
  const { clock } = process;
  switch (does) {
    case 'ok':
      return sleep(clock, ms, context.signal);
    case 'throw':
      await sleep(clock, ms, context.signal);
      throw new Error('it went wrong');
    case 'fatal':
      await sleep(clock, ms, context.signal);
      throw fatal('it is hopeless');
    case 'snooze':
      throw snooze(ms);
    case 'progress':
      for (let done = 1; done <= 4; done++) {
        await sleep(clock, ms / 4, context.signal);
        context.progress(done, 4, `step ${done}`);
        context.log.info(`step ${done}`);
      }
      return;
    case 'steps':
      // One after the other, two at once, and a failure behind them that most tasks try again.
      await step('one', ms / 8);
      await Promise.all([step('two', ms / 8), step('three', ms / 4)]);
      await sleep(clock, ms / 4, context.signal);
      if (context.attempt === 1) throw new Error('it went wrong after its steps');
      return step('four', ms / 4);
    case 'hang':
      return sleep(clock, 24 * 3_600_000, context.signal);
    case 'ignore':
      return sleep(clock, ms);
    case 'grumble':
      return sleep(clock, ms, context.signal).catch(() => {
        throw new Error('it was disturbed');
      });
    case 'block':
      process.freeze(ms);
      return sleep(clock, 0);
    case 'exit':
      process.crash();
      return new Promise(() => undefined);
  }
}
