/** What live updates are made of: topics to follow, cursors to go on from, and the messages that come. */

import { taskFlowError } from './errors.ts';
import type { BatchEvent } from './events.ts';
import { parseId } from './ids.ts';
import { checkName } from './names.ts';
import { didYouMean } from './nearest.ts';
import type { Reason, TaskState } from './states.ts';

/** What a client may follow. `counts`, `worker` and `all` stand alone; a queue and a task are named. */
export type Topic =
  | { readonly kind: 'counts' | 'worker' | 'all'; readonly text: string }
  | { readonly kind: 'queue'; readonly text: string; readonly name: string }
  | { readonly kind: 'task'; readonly text: string; readonly taskId: string };

const topicForms = ['counts', 'worker', 'all', 'queue:<name>', 'task:<id>'] as const;
const kinds = ['counts', 'worker', 'all', 'queue', 'task'] as const;

/** Reads `counts`, `worker`, `all`, `queue:email` or `task:01K8Q2M4ZJF0C9YF4V7Z0B2HNX`. Throws INVALID_OPTION and INVALID_ID. */
export function parseTopic(text: string): Topic {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const name = colon < 0 ? null : text.slice(colon + 1);
  if (name === null && (kind === 'counts' || kind === 'worker' || kind === 'all')) return { kind, text: kind };
  if (name !== null && kind === 'queue') {
    checkName(name, 'topic queue');
    return { kind, text: `queue:${name}`, name };
  }
  if (name !== null && kind === 'task') {
    const taskId = parseId(name);
    return { kind, text: `task:${taskId}`, taskId };
  }
  throw taskFlowError('INVALID_OPTION', {
    what: `topic ${JSON.stringify(text.slice(0, 60).toWellFormed())}`,
    problem: `it is none of ${topicForms.join(', ')}.${didYouMean(kind.slice(0, 20), kinds)}`,
  });
}

/**
 * How far a client has got in one life of a store. `seen` counts for the topics of tasks, which are told at once; `gathered` for all
 * others, which are told a few times a second and may be behind. Clients keep it as the text it comes as.
 */
export interface LiveCursor {
  readonly incarnation: string;
  readonly seen: number;
  readonly gathered: number;
}

export function formatCursor({ incarnation, seen, gathered }: LiveCursor): string {
  return seen === gathered ? `${incarnation}.${seen}` : `${incarnation}.${seen}-${gathered}`;
}

/** `null` for what no server wrote. */
export function parseCursor(text: string): LiveCursor | null {
  const [, incarnation, seen, gathered = seen] = /^([\w-]{1,64})\.(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) ?? [];
  if (incarnation === undefined) return null;
  return { incarnation, seen: Number(seen), gathered: Math.min(Number(seen), Number(gathered)) };
}

/** One task's change, as it is told to whoever may look: never what it carries. */
export interface LiveChange {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** The task's version after it: of one life of a task each comes once, and they grow. */
  readonly version: number;
  /** What was done: `enqueue`, `claim`, `settle`, …. */
  readonly kind: BatchEvent['kind'];
  readonly from: TaskState | null;
  /** `null` when the task is gone. */
  readonly to: TaskState | null;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly at: string;
}

/** Why something may have been missed: whoever hears it asks anew for what it shows. */
export type ResyncReason =
  /** The log does not reach back to the cursor any more. */
  | 'log'
  /** The store is another one, or went back. */
  | 'store'
  /** More happened at once than one message holds. */
  | 'burst'
  /** The client read too slowly, and what waited for it was dropped. */
  | 'slow';

/** Everything a client hears. Unknown types are of a later version: ignore them. */
export type LiveMessage =
  /** The topics are followed from here on. */
  | { readonly type: 'open'; readonly cursor: string; readonly topics: readonly string[] }
  /** In the order they happened; of several topics of one client together. */
  | {
      readonly type: 'changes';
      readonly cursor: string;
      readonly topics: readonly string[];
      readonly changes: readonly LiveChange[];
    }
  /** How things stand now, as the operation of the topic answers; `null` when that is too much for a message: ask for it. */
  | { readonly type: 'state'; readonly cursor: string; readonly topic: string; readonly data: unknown }
  | {
      readonly type: 'resync';
      readonly cursor: string;
      readonly topics: readonly string[];
      readonly reason: ResyncReason;
    };
