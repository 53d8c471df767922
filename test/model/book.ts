/** What a model run remembers of its own calls, so that later ones can be about the same tasks and leases. */

import type { Lease, NewTask, Settlement } from '../../src/core/task.ts';
import { sampleId, sampleToken } from '../conformance/samples.ts';

export interface Book {
  readonly tasks: NewTask[];
  /** Of every claim so far, the newest last: recent ones are mostly in force, older ones stale. */
  readonly leases: Lease[];
  readonly judgements: Lease[];
  readonly settlements: Settlement[];
  /** Ids of commands for workers. */
  readonly commands: number[];
  /** Parents that restored tasks wait for, and that are not there yet. */
  readonly awaited: string[];
  /** Parents of restored tasks: of what was restored with an edge no other task takes the id. */
  readonly restored: Set<string>;
  /** Of claims. */
  readonly tokens: string[];
  /** Version, next time and definition of the schedules that are there. */
  readonly schedules: Map<
    string,
    { readonly version: number; readonly at: number | null; readonly definition: string }
  >;
  numbers: number;
  /** The reply of the next call is lost, and the call sent again. */
  loseNext: boolean;
}

export function createBook(): Book {
  return {
    tasks: [],
    leases: [],
    judgements: [],
    settlements: [],
    commands: [],
    awaited: [],
    restored: new Set(),
    tokens: [],
    schedules: new Map(),
    numbers: 0,
    loseNext: false,
  };
}

export function freshId(book: Book): string {
  book.numbers += 1;
  return sampleId(book.numbers);
}

export function freshToken(book: Book): string {
  book.numbers += 1;
  return sampleToken(book.numbers);
}

/** The entry `back` places before the newest, going around; `undefined` when there is none. */
export function recent<Entry>(entries: readonly Entry[], back: number): Entry | undefined {
  return entries.length === 0 ? undefined : entries[entries.length - 1 - (back % entries.length)];
}
