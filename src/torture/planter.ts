/** Enqueues the tasks that do something to their process; noted like those of any client. */

import { makeClient } from '../client/client.ts';
import { systemChance } from '../core/chance.ts';
import { definitionBrand } from '../core/definition.ts';
import { TaskFlowError } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { sleep, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import type { Follower } from './follower.ts';
import { type ClientNote, machineMs, openNotes } from './notes.ts';
import { numbersEach } from './numbers.ts';
import { tasks, type Work } from './tasks/work.ts';

export interface PlanterOptions {
  readonly folder: string;
  readonly store: Store;
  readonly follower: Follower;
}

/** This process is number 1 of the run. */
const number = 1;
/** Longer than any outage, one behind another. */
const patienceMs = 60_000;
const repeatMs = 200;

export function createPlanter({ folder, store, follower }: PlanterOptions): {
  plant(work: Omit<Work, 'n'>): Promise<void>;
} {
  const { name, [definitionBrand]: definition } = tasks.mixed;
  const shared = { broker: store.broker, close: async () => undefined };
  const client = makeClient({ open: async () => shared });
  const write = openNotes(folder, 'client', number);
  const ids = createIds(systemClock, systemChance);
  let n = number * numbersEach;
  follower.follow('client', number);
  return {
    async plant(work) {
      const [id, input] = [ids.next(), { n: n++, ...work }];
      const note = (step: ClientNote[1], code?: string): void => write([[machineMs(), step, id, input.n, code]]);
      for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += repeatMs) {
        note('invoke', name);
        try {
          await client.enqueue(definition, input, { id });
          note('ok');
          return;
        } catch (error) {
          // The store is locked, full or away; the same id makes the next try harmless.
          note('info', error instanceof TaskFlowError ? error.code : String(error).slice(0, 80));
          await sleep(systemClock, repeatMs);
        }
      }
    },
  };
}
