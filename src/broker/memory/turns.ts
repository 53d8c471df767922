/** Whose turn it is among the groups of a queue: plain maps, and a look at every task where the question is who waits. */

import type { Pause, TurnFact } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { Task } from '../../core/task.ts';
import { isServedBefore, type StandingGroup, type Turn, takeTurn } from '../../core/turns.ts';
import type { GroupRecord, Settings } from '../broker.ts';
import { pauseOf } from './limits.ts';
import type { Step } from './step.ts';

/** What is configured for the name of a group. */
export interface GroupState {
  readonly weight: number | null;
  readonly pause: Pause | null;
}

/** How far a queue has come, and where each group stands in it; `null` are the tasks without one. */
export interface Round {
  turn: number;
  readonly groups: Map<string | null, Turn>;
}

/** Remembers who waits before the step changes the first task with a group. */
export function noteStanding(step: Step, task: Task): void {
  if (task.group === null || step.standing !== null) return;
  const waiting = [...step.state.rows.values()].filter((row) => row.task.state === 'queued');
  step.standing = new Set(waiting.map((row) => nameOf(row.task)));
}

/** A task was queued: a group of which none was queued before begins, at the earliest, where its queue is. */
export function joinRound(step: Step, task: Task): void {
  if (task.group === null || step.standing === null || step.standing.has(nameOf(task))) return;
  const round = step.state.rounds.get(task.queue) ?? { turn: 0, groups: new Map([[null, { turn: 0, since: 0 }]]) };
  const own = round.groups.get(task.group);
  round.groups.set(task.group, { turn: Math.max(own?.turn ?? 0, round.turn), since: step.now });
  step.state.rounds.set(task.queue, round);
}

/** The group of these that is next in its queue. */
export function nextGroup<Group extends StandingGroup>(groups: readonly Group[]): Group | undefined {
  return groups.reduce<Group | undefined>(
    (best, group) => (best === undefined || isServedBefore(group, best) ? group : best),
    undefined,
  );
}

/** Where the group of a task stands; where no group ever was, all tasks are one. */
export function standingOf(step: Step, queue: string, group: string | null): StandingGroup {
  return { group, ...(step.state.rounds.get(queue)?.groups.get(group) ?? { turn: 0, since: 0 }) };
}

/** Counts the claimed task against its group. */
export function serve(step: Step, { queue, group }: Task): void {
  const round = step.state.rounds.get(queue);
  if (round === undefined) return;
  const next = takeTurn(round.turn, round.groups.get(group)?.turn ?? 0, groupOf(step, group).weight ?? 1);
  round.turn = next.queue;
  round.groups.set(group, { turn: next.group, since: step.now });
}

/** Once nothing is queued there is nothing to be fair about. */
export function forgetRound(step: Step, queue: string): void {
  const waits = [...step.state.rows.values()].some(({ task }) => task.queue === queue && task.state === 'queued');
  if (!waits) step.state.rounds.delete(queue);
}

export function isPaused(step: Step, group: string | null): boolean {
  return groupOf(step, group).pause !== null;
}

function groupOf(step: Step, group: string | null): GroupState {
  return (group === null ? undefined : step.state.groups.get(group)) ?? { weight: null, pause: null };
}

export function configureGroup(step: Step, name: string, { pause, weight }: Settings): void {
  const known = groupOf(step, name);
  const next = {
    weight: weight === undefined ? known.weight : weight,
    pause: pauseOf(step, known.pause, pause),
  };
  if (next.weight === null && next.pause === null) step.state.groups.delete(name);
  else step.state.groups.set(name, next);
  if (known.pause !== null && next.pause === null) step.freed.add(name);
}

export function getGroups(step: Step, from: string | null, limit: number): readonly GroupRecord[] {
  return [...step.state.groups]
    .map(([name, { weight, pause }]) => ({ name, weight, pause }))
    .filter(({ name }) => from === null || name >= from)
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .slice(0, Math.min(limit, limits.pageMax));
}

export function turnFact(step: Step, { queue, group, state }: Task): TurnFact {
  const { weight, pause } = groupOf(step, group);
  const own = standingOf(step, queue, group);
  const queued = [...step.state.rows.values()].filter(({ task }) => task.queue === queue && task.state === 'queued');
  const others = [...new Set(queued.map(({ task }) => task.group))].filter((other) => !isPaused(step, other));
  const before = others.map((other) => standingOf(step, queue, other)).filter((other) => isServedBefore(other, own));
  const counts = state === 'queued' && pause === null && step.state.rounds.has(queue);
  return {
    group,
    weight: weight ?? 1,
    pause,
    ahead: counts ? Math.min(before.length, limits.aheadMax) : 0,
    first: counts ? (nextGroup(before)?.group ?? null) : null,
  };
}

function nameOf({ queue, group }: Task): string {
  return JSON.stringify([queue, group]);
}
