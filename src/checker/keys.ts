/** S17: who holds each key, told by the events alone, against what the store answered and kept. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import { isFinished } from '../core/states.ts';
import type { Asked, KeyRefusal } from './evidence.ts';
import type { Tell } from './verdict.ts';

/** `until` is `null` while the holder is unfinished. */
interface Hold {
  readonly taskId: string;
  readonly until: number | null;
}

export interface KeyBook {
  /** Before the changes of an event. */
  begin(event: BatchEvent): void;
  change(event: BatchEvent, item: EventItem, asked: Asked | null): void;
  /** To be told in the order of their `seq`, and before the event after it. */
  refused(refusal: KeyRefusal): void;
  /** `kept`: the keys that the store holds at the end for unfinished tasks; `undefined` when nobody looked. */
  end(kept?: readonly { readonly key: string; readonly taskId: string }[]): void;
}

/** `overlapMs`: between two events of one step so much of others may be told. */
export function createKeyBook(tell: Tell, overlapMs = 0): KeyBook {
  const holds = new Map<string, Hold>();
  /** Former holders, whose replacement must be told by the very next event of the step, and when their keys were taken. */
  const replaced = new Map<string, number>();

  const holderAt = (key: string, at: number): Hold | null => {
    const hold = holds.get(key);
    return hold === undefined || (hold.until !== null && hold.until <= at) ? null : hold;
  };

  function takeKey(key: string, event: BatchEvent, item: EventItem): void {
    const holder = holderAt(key, event.at);
    holds.set(key, { taskId: item.taskId, until: null });
    if (holder === null || holder.taskId === item.taskId) return;
    if (event.kind === 'enqueue' && holder.until === null) replaced.set(holder.taskId, event.at);
    else
      tell('S17', item.taskId, `event ${event.seq}: ${event.kind} took the key "${key}" that ${holder.taskId} holds`);
  }

  function settleReplacements(at: number): void {
    for (const [taskId, takenAt] of replaced) {
      if (at < takenAt + overlapMs) continue;
      tell('S17', taskId, 'another task took its key and did not replace it');
      replaced.delete(taskId);
    }
  }

  return {
    begin(event) {
      if (replaced.size === 0) return;
      if (event.kind === 'replace') for (const { taskId } of event.items) replaced.delete(taskId);
      settleReplacements(event.at);
    },
    change(event, item, asked) {
      const key = asked?.key;
      if (key == null) return;
      if (event.kind === 'enqueue' || event.kind === 'retry') takeKey(key, event, item);
      if (holds.get(key)?.taskId !== item.taskId) return;
      const letsGo = event.kind === 'claim' && (asked?.ifExists === 'replace' || asked?.ifExists === 'debounce');
      if (letsGo || event.kind === 'remove') holds.delete(key);
      if (item.to === null || !isFinished(item.to)) return;
      const keepForMs = item.to === 'succeeded' ? (asked?.keyForMs ?? null) : null;
      if (keepForMs === null) holds.delete(key);
      else holds.set(key, { taskId: item.taskId, until: event.at + keepForMs });
    },
    refused({ key, of, at }) {
      const holder = holderAt(key, at);
      if (holder?.taskId !== of)
        tell('S17', of, `a task was refused for the key "${key}", which ${holder?.taskId ?? 'nobody'} held`);
    },
    end(kept) {
      settleReplacements(Infinity);
      if (kept === undefined) return;
      const stored = new Map(kept.map(({ key, taskId }) => [key, taskId]));
      for (const [key, { taskId, until }] of holds)
        if (until === null && stored.get(key) !== taskId)
          tell('S21', taskId, `it holds the key "${key}", the store says ${stored.get(key)}`);
      for (const [key, taskId] of stored)
        if (holds.get(key)?.taskId !== taskId)
          tell('S21', taskId, `the store keeps its key "${key}" for it without a reason`);
    },
  };
}
