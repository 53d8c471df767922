/** What the events of a batch tell of each task: enough to store most of them without a look at what is recorded of them. */

import type { BatchEvent, EventItem } from './events.ts';
import type { Standing } from './standing.ts';
import { isFinished, type TaskState } from './states.ts';

/** One object for all tasks of which the same is told. */
export interface Told {
  /** It came into the store with the first of them, and with no other. */
  readonly isNew: boolean;
  /** It was there before, and was only handed on: by each step what changes is known. */
  readonly isMoved: boolean;
  /** Whether it has to be read: not what was only removed, nor what is recorded as far. */
  readonly isWanted: boolean;
  readonly queue: string;
  readonly name: string;
  /** Where it stood before the first, and after the last. */
  readonly from: TaskState | null;
  readonly attempt: number;
  readonly before: number;
  readonly version: number;
  readonly to: TaskState | null;
  /** Whether it was removed, or ended, by one of them. */
  readonly isOver: boolean;
  /** Whether a person did something to it that its timeline tells. */
  readonly isNoted: boolean;
}

export type Tellings = ReadonlyMap<string, Told>;

/** Nothing yet, and what each further item makes of it. */
interface Step extends Told {
  readonly next: Map<string, Step>;
}

const nothing = {
  queue: '',
  name: '',
  isNew: true,
  isMoved: true,
  isWanted: false,
  from: null,
  attempt: 0,
  before: 0,
  version: 0,
  to: null,
  isOver: false,
  isNoted: false,
};

/** Up to which version tasks are recorded already. */
type Recorded = ReadonlyMap<string, { readonly version: number }>;

const nobody: Recorded = new Map();

/**
 * By task. What the live store prunes goes on in the record as it is. Of a task that was recorded ahead of its events, the steps that
 * led there are passed over: it is told from where it stands in the record.
 */
export function tellingsOf(events: readonly BatchEvent[], recorded: Recorded = nobody): Tellings {
  const { told, tell } = createTellings();
  for (const { kind, items } of events) {
    if (kind === 'prune') continue;
    for (const item of items) {
      const before = told.get(item.taskId);
      if (before === undefined && isPassedOver(kind, item, recorded)) continue;
      tell(kind, item, before, kind !== 'remove');
    }
  }
  return told;
}

function isPassedOver(kind: BatchEvent['kind'], item: EventItem, recorded: Recorded): boolean {
  return recorded.size > 0 && isMove(kind, item) && (recorded.get(item.taskId)?.version ?? 0) >= item.version;
}

/** What is told so far, by task, and what adds to it. */
export interface Telling {
  readonly told: ReadonlyMap<string, Told>;
  /** `before`: what is told of its task so far. `isWanted`: whether it is to be read for that. Answers what is told now. */
  readonly tell: (kind: BatchEvent['kind'], item: EventItem, before: Told | undefined, isWanted: boolean) => Told;
}

export function createTellings(): Telling {
  const told = new Map<string, Step>();
  const first: Step = { ...nothing, next: new Map() };
  // What the neighbour came from, and whereto: it is mostly the same for all that changed in one call.
  let [before, last, after, lastKind, wasWanted]: [Step, EventItem | null, Step, string, boolean] = [
    first,
    null,
    first,
    '',
    false,
  ];
  return {
    told,
    tell: (kind, item, known = first, isWanted) => {
      const isSame = known === before && kind === lastKind && isWanted === wasWanted;
      if (!isSame || last === null || !isLike(last, item)) {
        before = known as Step;
        after = stepOf(before, { kind, item, isFirst: known === first, isWanted });
        [last, lastKind, wasWanted] = [item, kind, isWanted];
      }
      told.set(item.taskId, after);
      return after;
    },
  };
}

function isLike(left: EventItem, right: EventItem): boolean {
  return (
    left.version === right.version &&
    left.from === right.from &&
    left.to === right.to &&
    left.attempt === right.attempt &&
    left.queue === right.queue &&
    left.name === right.name
  );
}

interface Next {
  readonly kind: BatchEvent['kind'];
  readonly item: EventItem;
  readonly isFirst: boolean;
  readonly isWanted: boolean;
}

function stepOf(known: Step, { kind, item, isFirst, isWanted }: Next): Step {
  const { from, to, version, attempt, queue, name } = item;
  const key = `${kind} ${isWanted} ${from} ${to} ${version} ${attempt} ${queue}\0${name}`;
  let step = known.next.get(key);
  if (step === undefined) {
    const isLife = kind === 'enqueue' || kind === 'restore' || kind === 'remove';
    step = {
      queue,
      name,
      isNew: isFirst ? kind === 'enqueue' : known.isNew && !isLife,
      isMoved: known.isMoved && isMove(kind, item) && (isFirst || version === known.version + 1),
      isWanted: known.isWanted || isWanted,
      from: isFirst ? from : known.from,
      attempt: isFirst ? attempt : known.attempt,
      before: isFirst ? version - 1 : known.before,
      version,
      to,
      isOver: known.isOver || kind === 'remove' || (to !== null && isFinished(to)),
      isNoted: known.isNoted || kind === 'retry' || kind === 'update',
      next: new Map(),
    };
    known.next.set(key, step);
  }
  return step;
}

/** A claim, its end, and what became due: nothing but state, run and result are another than before. */
export function isMove(kind: BatchEvent['kind'], { to }: EventItem): boolean {
  return kind === 'claim' || kind === 'promote' || (kind === 'settle' && to !== 'scheduled' && to !== 'blocked');
}

/** Whether a task stands as it is told, or has succeeded since. */
export function isHandedOn({ version, state }: Pick<Standing, 'version' | 'state'>, told: Told): boolean {
  if (!told.isMoved) return false;
  return told.version === version || (told.to === 'running' && state === 'succeeded' && told.version + 1 === version);
}
