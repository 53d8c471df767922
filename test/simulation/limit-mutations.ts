/** Planted bugs of limits, groups and their pauses: what a claim must look at, it does not. */

import type { Broker } from '../../src/broker/broker.ts';
import type { MemoryState } from '../../src/broker/memory/state.ts';
import type { LimitRule } from '../../src/core/task.ts';
import { change, during, inStore } from './bend.ts';
import type { Mutation } from './mutation.ts';

/** Runs each claim while all tasks carry other rules. */
function withRules(
  broker: Broker,
  state: MemoryState,
  bend: (rule: LimitRule) => readonly LimitRule[],
): Partial<Broker> {
  const bent = (): (() => void) => {
    const before = new Map([...state.rows].map(([id, { task }]) => [id, task.limits]));
    for (const row of state.rows.values()) change(row, { limits: row.task.limits.flatMap(bend) });
    return () => {
      for (const [id, rules] of before) {
        const row = state.rows.get(id);
        if (row !== undefined) change(row, { limits: rules });
      }
    };
  };
  return {
    claim: (request) => during(bent, () => broker.claim(request)),
    settle: (settlements, claimNext) => during(bent, () => broker.settle(settlements, claimNext)),
  };
}

/** Runs each claim while one field of all that is in a map says something else. */
function without<Field extends string, Value extends Readonly<Record<Field, unknown>>>(
  broker: Broker,
  map: Map<string, Value>,
  field: Field,
  nothing: Value[Field],
): Partial<Broker> {
  const bent = (): (() => void) => {
    const before = [...map].map(([name, value]) => [name, value[field]] as const);
    const set = (name: string, to: Value[Field]): void => {
      const value = map.get(name);
      if (value !== undefined) map.set(name, { ...value, [field]: to });
    };
    for (const [name] of before) set(name, nothing);
    return () => {
      for (const [name, value] of before) set(name, value);
    };
  };
  return { claim: (request) => during(bent, () => broker.claim(request)) };
}

export const limitMutations: readonly Mutation[] = [
  inStore('limits-ignored', 'a claim does not look at limits', (broker, state) => withRules(broker, state, () => [])),
  inStore('one-slot-too-many', 'a limit lets one more run than it may', (broker, state) =>
    withRules(broker, state, (rule) => [{ ...rule, max: rule.max === null ? null : rule.max + 1 }]),
  ),
  inStore('rate-forgotten', 'a rate forgets its starts', (broker, state) => without(broker, state.limits, 'tatUs', 0)),
  inStore('queue-limit-ignored', 'the limit of a whole queue is not looked at', (broker, state) =>
    without(broker, state.limits, 'max', null),
  ),
  inStore('limit-pause-ignored', 'a task with a paused limit is claimed', (broker, state) =>
    without(broker, state.limits, 'pause', null),
  ),
  inStore('group-pause-ignored', 'a task of a paused group is claimed', (broker, state) =>
    without(broker, state.groups, 'pause', null),
  ),
];
