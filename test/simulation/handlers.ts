/** What the simulated handlers do, as the payload of each task says for each of its runs. */

import type { Context, TaskDefinition } from '../../src/core/definition.ts';
import { sleep } from '../../src/core/time.ts';
import { fatal, snooze } from '../../src/core/verdicts.ts';
import type { Effect } from '../checker/run-history.ts';
import { createDefinition } from '../support/worker-rig.ts';
import type { SimProcess } from './sim-process.ts';

/** One run: `ms` is how long it takes. */
export interface Behaviour {
  readonly does: 'ok' | 'throw' | 'fatal' | 'snooze' | 'progress' | 'hang' | 'ignore' | 'grumble' | 'block' | 'exit';
  readonly ms: number;
}

export interface SimPayload {
  readonly n: number;
  /** By claim; a run beyond the last one is a short success. */
  readonly runs: readonly Behaviour[];
}

/** Task names: every worker knows the first, some know the second, none the last before the world is healed. */
export const taskNames = ['work', 'rare', 'late'] as const;

export function createHandlers(
  process: SimProcess,
  names: readonly string[],
  note: (effect: Omit<Effect, 'at' | 'pid'>) => void,
): readonly TaskDefinition[] {
  return names.map((name) =>
    createDefinition(name, async (input, context) => {
      const { n, runs } = input as SimPayload;
      const run = { taskId: context.id, epoch: context.fencingToken, attempt: context.attempt, n };
      const behaviour = runs[context.fencingToken - 1] ?? { does: 'ok', ms: 5 };
      note({ what: 'begin', ...run });
      context.signal.addEventListener('abort', () => note({ what: 'abort', ...run }), { once: true });
      try {
        await behave(process, behaviour, context);
      } catch (error) {
        note({ what: 'end', how: 'threw', ...run });
        throw error;
      }
      note({ what: 'end', how: 'returned', ...run });
      return { epoch: context.fencingToken };
    }),
  );
}

async function behave(process: SimProcess, { does, ms }: Behaviour, context: Context): Promise<void> {
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
