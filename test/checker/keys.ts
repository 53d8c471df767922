/** S17: who holds each key, told by the events alone, against what the store answered and kept. */

import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import { isFinished } from '../../src/core/states.ts';
import type { Insight, KeyRefusal } from './run-history.ts';
import type { Tell } from './task-story.ts';

/** `until` is `null` while the holder is unfinished. */
interface Hold {
  readonly taskId: string;
  readonly until: number | null;
}

/** Tells every moment in which two tasks held one key, and every refusal for a key that nobody held. */
export function checkKeys(events: readonly BatchEvent[], insight: Insight, tell: Tell): void {
  const fold = createFold(insight, tell);
  const refusals = [...insight.refusals].sort((left, right) => left.seq - right.seq);
  for (const event of events) {
    while (refusals[0] !== undefined && refusals[0].seq < event.seq) fold.refused(refusals.shift()!);
    fold.take(event);
  }
  for (const refusal of refusals) fold.refused(refusal);
  fold.end();
}

function createFold({ asked, heldKeys }: Insight, tell: Tell) {
  const holds = new Map<string, Hold>();
  /** Former holders whose replacement must be told by the very next event. */
  const replaced = new Set<string>();

  const holderAt = (key: string, at: number): Hold | null => {
    const hold = holds.get(key);
    return hold === undefined || (hold.until !== null && hold.until <= at) ? null : hold;
  };

  function takeKey(key: string, event: BatchEvent, item: EventItem): void {
    const holder = holderAt(key, event.at);
    holds.set(key, { taskId: item.taskId, until: null });
    if (holder === null || holder.taskId === item.taskId) return;
    if (event.kind === 'enqueue' && holder.until === null) replaced.add(holder.taskId);
    else
      tell('S17', item.taskId, `event ${event.seq}: ${event.kind} took the key "${key}" that ${holder.taskId} holds`);
  }

  function change(event: BatchEvent, item: EventItem): void {
    const task = asked.get(item.taskId);
    if (task?.key == null) return;
    if (event.kind === 'enqueue' || event.kind === 'retry') takeKey(task.key, event, item);
    if (holds.get(task.key)?.taskId !== item.taskId) return;
    const letsGo = event.kind === 'claim' && (task.ifExists === 'replace' || task.ifExists === 'debounce');
    if (letsGo || event.kind === 'remove') holds.delete(task.key);
    if (item.to === null || !isFinished(item.to)) return;
    const until = item.to === 'succeeded' && task.keyForMs !== null ? event.at + task.keyForMs : null;
    if (until === null) holds.delete(task.key);
    else holds.set(task.key, { taskId: item.taskId, until });
  }

  function settleReplacements(): void {
    for (const taskId of replaced) tell('S17', taskId, 'another task took its key and did not replace it');
    replaced.clear();
  }

  return {
    take(event: BatchEvent): void {
      if (event.kind === 'replace') for (const { taskId } of event.items) replaced.delete(taskId);
      settleReplacements();
      for (const item of event.items) change(event, item);
    },
    refused({ key, of, at }: KeyRefusal): void {
      const holder = holderAt(key, at);
      if (holder?.taskId !== of)
        tell('S17', of, `a task was refused for the key "${key}", which ${holder?.taskId ?? 'nobody'} held`);
    },
    end(): void {
      settleReplacements();
      const kept = new Map(heldKeys.map(({ key, taskId }) => [key, taskId]));
      for (const [key, { taskId, until }] of holds)
        if (until === null && kept.get(key) !== taskId)
          tell('S21', taskId, `it holds the key "${key}", the store says ${kept.get(key)}`);
      for (const [key, taskId] of kept)
        if (holds.get(key)?.taskId !== taskId)
          tell('S21', taskId, `the store keeps its key "${key}" for it without a reason`);
    },
  };
}
