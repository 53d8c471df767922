/** The settings, schedules and kept counts in a database, without a broker over it: for a database that is a record as well. */

import type { Broker } from '../broker.ts';
import { configure } from './configure.ts';
import type { SqlDriver } from './driver.ts';
import { getGroups } from './groups.ts';
import { getLimits } from './limits.ts';
import { getQueues } from './queues.ts';
import { createSchedules } from './schedules.ts';
import { type Change, createStep, endStep } from './step.ts';

export type SettingsOf = Pick<Broker, 'getQueues' | 'getGroups' | 'getLimits' | 'configure' | 'schedules'>;

/** Nobody is told of what is changed: for a time at which nobody works with it. */
export function settingsOf(driver: SqlDriver): SettingsOf {
  const change: Change = (call) =>
    driver.transaction(async (tx) => {
      const step = createStep(tx, await tx.wallMs());
      const answer = await call(step);
      await endStep(step);
      return answer;
    });
  return {
    getQueues: () => getQueues(driver.readOne),
    getGroups: (from, limit) => driver.read((tx) => getGroups(tx, from, limit)),
    getLimits: (from, limit) => driver.read((tx) => getLimits(tx, from, limit)),
    configure: (scope, name, settings) => change((step) => configure(step, scope, name, settings)),
    schedules: createSchedules(
      change,
      (call) => driver.read(call),
      (tx) => tx.wallMs(),
    ),
  };
}
