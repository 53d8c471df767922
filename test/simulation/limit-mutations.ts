/** Planted bugs of limits, groups and their pauses: what a claim must look at, it does not. */

import type { Broker } from '../../src/broker/broker.ts';
import type { MemoryState, Row } from '../../src/broker/memory/state.ts';
import type { LimitRule } from '../../src/core/task.ts';
import { change, during, inStore, rowOf, rowsOf } from './bend.ts';
import type { Mutation } from './mutation.ts';
import { calmRates } from './network.ts';
import type { Swarm } from './swarm.ts';

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

/** Both ways to claim, while what `bent` does to the state holds; the settlements before it are not bent. */
function claimingAlone(broker: Broker, bent: () => () => void): Pick<Broker, 'claim' | 'settle'> {
  return {
    claim: (request) => during(bent, () => broker.claim(request)),
    async settle(settlements, claimNext) {
      const { results } = await broker.settle(settlements);
      if (claimNext === undefined) return { results, claimed: [] };
      return { results, claimed: await during(bent, () => broker.claim(claimNext)) };
    },
  };
}

/** Lets these tasks hold no slot. */
function hideRules(rows: readonly Row[]): () => void {
  const hidden = rows.map((row) => [row, row.task.limits] as const);
  for (const [row] of hidden) change(row, { limits: [] });
  return () => {
    for (const [row, limits] of hidden) change(row, { limits });
  };
}

/** Who change what is allowed, many times. */
const manyPeople: Partial<Swarm> = { people: 8, tasks: 60, safetyMs: 60_000 };

export const limitMutations: readonly Mutation[] = [
  inStore('limits-ignored', 'a claim does not look at limits', (broker, state) => withRules(broker, state, () => [])),
  inStore('one-slot-too-many', 'a limit lets one more run than it may', (broker, state) =>
    withRules(broker, state, (rule) => [{ ...rule, max: rule.max === null ? null : rule.max + 1 }]),
  ),
  inStore('rate-forgotten', 'a rate forgets its starts', (broker, state) => without(broker, state.limits, 'tatUs', 0)),
  inStore(
    'queue-limit-ignored',
    'the limit of a whole queue is not looked at',
    (broker, state) => without(broker, state.limits, 'max', null),
    manyPeople,
  ),
  inStore('limit-pause-ignored', 'a task with a paused limit is claimed', (broker, state) =>
    without(broker, state.limits, 'pause', null),
  ),
  inStore('group-pause-ignored', 'a task of a paused group is claimed', (broker, state) =>
    without(broker, state.groups, 'pause', null),
  ),
  inStore(
    'group-starved',
    'the first group by name is always next',
    (broker, state) =>
      // Alone, or the settlements would be served rightly.
      claimingAlone(broker, () => {
        for (const round of state.rounds.values())
          for (const group of round.groups.keys()) round.groups.set(group, { turn: 0, since: 0 });
        return () => undefined;
      }),
    { workers: 1, tasks: 60, safetyMs: 30_000 },
  ),
  inStore('slot-by-clock', 'a slot is freed a second after its claim, and not by the end of its run', (broker, state) =>
    claimingAlone(broker, () =>
      hideRules(rowsOf(state, 'running').filter(({ task }) => (task.claimedAt ?? 0) + 1_000 <= state.lastNow)),
    ),
  ),
  inStore(
    'slot-a-counter',
    'a repeated or stale settlement frees the slot of another task',
    (broker, state) => {
      let freed = 0;
      const bent = claimingAlone(broker, () => hideRules(rowsOf(state, 'running').slice(0, freed)));
      return {
        ...bent,
        settle: async (settlements, claimNext) => {
          const answer = await bent.settle(settlements, claimNext);
          freed += answer.results.filter(({ outcome }) => outcome === 'alreadyApplied' || outcome === 'stale').length;
          return answer;
        },
      };
    },
    { tasks: 60, rates: { ...calmRates, replyLost: 0.3, resent: 0.3 } },
  ),
  inStore(
    'pause-a-maximum',
    'setting the maximum of a paused limit resumes it',
    (broker) => ({
      configure: async (scope, name, settings) => {
        await broker.configure(scope, name, settings);
        if (scope === 'limit' && settings.max !== undefined) await broker.configure(scope, name, { pause: null });
      },
    }),
    manyPeople,
  ),
  inStore('token-given-back', 'a run that does not succeed has used no start', (broker, state) => ({
    settle: (settlements, claimNext) => {
      for (const { lease, verdict } of settlements) {
        if (verdict.to === 'succeeded') continue;
        for (const { name } of rowOf(state, lease)?.task.limits ?? []) {
          const known = state.limits.get(name);
          if (known !== undefined) state.limits.set(name, { ...known, tatUs: 0 });
        }
      }
      return broker.settle(settlements, claimNext);
    },
  })),
];
