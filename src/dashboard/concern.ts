/** What a concern is, what it is found by, and the words its rules share. */

import type { QueueDocument } from '../operations/queue.ts';
import type { SignsDocument } from '../operations/signs.ts';
import type { ActivityDocument, CountsDocument, HealthDocument, QueueActivityDocument } from '../operations/system.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import type { ShownView } from './glyphs.tsx';

/** What a click does about a concern: shows the tasks of a filter, or lets a queue go on. */
export type ConcernAction =
  | { readonly kind: 'tasks'; readonly q: string; readonly word: string }
  | { readonly kind: 'page'; readonly path: string; readonly word: string }
  | { readonly kind: 'resume'; readonly queue: string }
  | { readonly kind: 'error'; readonly fingerprint: string };

export interface Concern {
  readonly look: ShownView;
  readonly title: string;
  readonly more: string;
  readonly command: string | null;
  readonly action?: ConcernAction;
  /** What it is one of; absent where each is a story of its own. */
  readonly alike?: Alike;
}

/** By this many concerns of a kind are told in one sentence: a deploy that forgot a worker is one thing to look at, and not two hundred. */
export interface Alike {
  readonly kind: 'no_worker' | 'paused' | 'behind' | 'vanished' | 'blocked' | 'stalled' | 'failing' | 'late' | 'missed';
  /** Of the queue, worker, task or schedule. */
  readonly name: string;
  /** Tasks that it is about; 0 where it is about none. */
  readonly tasks: number;
}

export interface Signs {
  readonly queues: readonly QueueDocument[];
  readonly workers: readonly WorkerDocument[];
  readonly health: HealthDocument;
  /** `null` while the record is away. */
  readonly activity: ActivityDocument | null;
  /** What needs the record, or more than a look at this moment; absent while the record is away. */
  readonly beyond?: BeyondSigns;
}

export interface BeyondSigns {
  readonly signs: SignsDocument;
  readonly counts: CountsDocument;
  readonly running: readonly ListedTaskDocument[];
}

/** A queue may have any name, also that of a property every object has. */
export function activityOf(activity: ActivityDocument | null, queue: string): QueueActivityDocument | undefined {
  return activity !== null && Object.hasOwn(activity.queues, queue) ? activity.queues[queue] : undefined;
}

/** A word as a shell takes it. */
export function shellWord(text: string): string {
  return /^[\w.:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
