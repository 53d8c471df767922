/** A call that is refused half way leaves nothing: the one transaction this store needs. */

import type { MemoryState, Row } from './state.ts';
import type { Step } from './step.ts';
import type { Round } from './turns.ts';

/** Does it, or leaves everything as it was and throws. */
export function atomically<Answer>(step: Step, act: () => Answer): Answer {
  const undo = remember(step);
  try {
    return act();
  } catch (error) {
    undo();
    throw error;
  }
}

/** Does it, and leaves everything as it was. */
export function undone<Answer>(step: Step, act: () => Answer): Answer {
  const undo = remember(step);
  try {
    return act();
  } finally {
    undo();
  }
}

function remember({ state, items, work, finished, cancels, blocked, freed }: Step): () => void {
  const maps: readonly (keyof MemoryState)[] = ['keys', 'counts', 'limits', 'cancelledFlows'];
  const saved = maps.map(
    (name) => [state[name] as Map<unknown, unknown>, new Map(state[name] as Map<unknown, unknown>)] as const,
  );
  const rows = new Map([...state.rows].map(([id, row]): [string, Row] => [id, copyOf(row)]));
  const edges = new Map([...state.edges].map(([id, parents]) => [id, new Map(parents)] as const));
  const rounds = new Map([...state.rounds].map(([queue, round]) => [queue, copyOfRound(round)] as const));
  const kinds = new Map([...items].map(([kind, list]) => [kind, [...list]] as const));
  const sets = [work, blocked, freed].map((set) => [set, new Set(set)] as const);
  const lists = [finished, cancels].map((list) => [list, list.length] as const);
  return () => {
    for (const [map, copy] of saved) refill(map, copy);
    refill(state.rows, rows);
    refill(state.edges, edges);
    refill(state.rounds, rounds);
    refill(items, kinds);
    for (const [set, copy] of sets) {
      set.clear();
      for (const each of copy) set.add(each);
    }
    for (const [list, length] of lists) list.length = length;
  };
}

function copyOf(row: Row): Row {
  return { ...row, attempts: [...row.attempts], logs: [...row.logs] };
}

function copyOfRound({ turn, groups }: Round): Round {
  return { turn, groups: new Map(groups) };
}

function refill<Key, Value>(map: Map<Key, Value>, copy: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of copy) map.set(key, value);
}
