/** A move: one way to call one method about one task, with what must follow in every state. */

import type { Broker } from '../../src/broker/broker.ts';
import { isFinished, isWaiting, type TaskState, type TransitionName } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import type { Changes } from './dump.ts';
import { sampleId, sampleToken } from './samples.ts';
import type { Subject, World } from './world.ts';

export type Place = TaskState | 'absent';

/** One way to call one method about one task. */
export interface Move {
  /** Completes "… on a queued task". */
  readonly name: string;
  /** The row of the table it exercises; `null` changes no state. */
  readonly transition: TransitionName | null;
  /** The state it leads to. */
  readonly to: TaskState | null;
  /** What the task is enqueued with, so that the move can happen. */
  readonly given?: Partial<NewTask>;
  /** Runs before the call, outside of the comparison. */
  readonly prepare?: (world: World, subject: Subject, place: Place) => Promise<void>;
  readonly call: (broker: Broker, subject: Subject, world: World) => Promise<unknown>;
  /** What the call answers for a task in this place. */
  readonly answer: (place: Place, subject: Subject) => unknown;
  /** What the same call answers after it took effect and its reply was lost; absent is the same as at first. */
  readonly again?: (place: Place, subject: Subject) => unknown;
  /** Where it takes effect although the state stays, or what it changes where the table allows the move. */
  readonly effect: (place: Place, subject: Subject, world: World) => Changes;
  /** Places in which something is stored without a move of the table. */
  readonly alsoIn?: readonly Place[];
  /** Places where the call would mean nothing, each with its reason. */
  readonly exceptIn?: Partial<Record<Place, string>>;
}

/** The task that is moved carries this key, so that every move shows what it does to keys. */
export const key = 'order-7';
export const moveToken = sampleToken(0xabcdef);
export const otherId = sampleId(900_000);
export const keyFreed = { [`key ${key}`]: null };

export const isPlaceFinished = (place: Place): boolean => place !== 'absent' && isFinished(place);
export const isPlaceWaiting = (place: Place): boolean => place !== 'absent' && isWaiting(place);
