/** What the suite needs to know of a store: the seam itself, and a look behind it. An adapter joins with these few functions. */

import type { Broker } from '../../src/broker/broker.ts';
import type { Chance } from '../../src/core/chance.ts';
import type { EdgeState } from '../../src/core/dependencies.ts';
import type { Attempt, BatchEvent } from '../../src/core/events.ts';
import type { Pause } from '../../src/core/facts.ts';
import type { LimitSettings } from '../../src/core/limit-rules.ts';
import type { TaskView } from '../../src/core/states.ts';
import type { LogLine } from '../../src/core/task.ts';

/** What is configured for the name of a limit. */
export type StoredLimit = LimitSettings & { readonly pause?: Pause };

/** What `Broker` does not show of the stored state. Order does not matter. */
export interface Contents {
  readonly taskIds: readonly string[];
  /** `until` is `null` while the holder is unfinished; keys past their time may be there or not. */
  readonly keys: readonly { readonly key: string; readonly taskId: string; readonly until: number | null }[];
  /** The kept counts, all deltas folded; zeros may be there or not. */
  readonly counts: readonly {
    readonly queue: string;
    readonly name: string;
    readonly view: TaskView;
    readonly count: number;
  }[];
  /** Who holds a slot of which limit. */
  readonly slots: readonly { readonly name: string; readonly taskId: string }[];
  /** Where the groups stand; those that have no queued tasks may be there or not. `ahead` is how far the group is ahead of its queue. */
  readonly turns: readonly {
    readonly queue: string;
    readonly group: string | null;
    readonly ahead: number;
    readonly since: number;
    /** Whether a claim looks at it: a paused one is passed. */
    readonly waits: boolean;
  }[];
  readonly edges: readonly {
    readonly parentId: string;
    readonly childId: string;
    readonly state: EdgeState;
  }[];
  /** Flows that were cancelled. */
  readonly cancelledFlows: readonly string[];
  /** The limits that were configured; others may be there too. */
  readonly limits: readonly { readonly name: string; readonly settings: StoredLimit }[];
}

export interface StoreUnderTest {
  /** Opens a connection to the same data; the first one sets it up. */
  connect(): Promise<Broker>;
  contents(): Promise<Contents>;
  /** All that are kept, oldest first. */
  events(): Promise<readonly BatchEvent[]>;
  record(taskId: string): Promise<{
    readonly attempts: readonly Attempt[];
    readonly logs: readonly (LogLine & { readonly epoch: number })[];
  }>;
  /** Begins a transaction of a user's, on a connection of its own to the same data; absent where nobody can have one. */
  begin?(): Promise<UserTransaction>;
  /** Removes the data; every connection is closed already. */
  dispose(): Promise<void>;
}

/** What a user has open beside the store, ended by whoever began it. */
export interface UserTransaction {
  readonly tx: unknown;
  /** Whether nobody else can write until it ends. */
  readonly isAlone: boolean;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Makes an empty store whose wall clock and randomness are the test's. */
export type CreateStore = (options: {
  readonly now: () => number;
  readonly chance: Chance;
  /** Of a store with an outbox; without them it is as if all were recorded whenever it prunes, and kept for its whole time. */
  readonly outboxLimits?: OutboxLimits;
}) => Promise<StoreUnderTest>;

export interface OutboxLimits {
  readonly outboxMax: number;
  readonly liveKeepMs: number;
}
