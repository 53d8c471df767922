/** History beside a live store: rows from the record, and how they stand now from the live store. */

import type { Broker, Outbox, TaskBody } from '../../broker/broker.ts';
import { isWithoutRecord } from '../../core/errors.ts';
import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import { within } from '../../core/patience.ts';
import { isFinished } from '../../core/states.ts';
import type { Clock } from '../../core/time.ts';
import { type History, type Page, summaryOf, type TaskRecord, type TaskSummary } from '../history.ts';
import type { Recording } from '../recording.ts';
import { timelineOf } from '../timeline.ts';

export interface RecordedHistoryOptions {
  /** Over the database of the record alone. */
  readonly history: History;
  readonly recording: Pick<Recording, 'cursor'>;
  readonly broker: Pick<Broker, 'getTasks' | 'info'>;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/**
 * Which tasks a search finds is told by the record, which is `lagMs` behind; how the found ones stand is told by the live store.
 */
export function createRecordedHistory({ history, recording, broker, outbox, clock }: RecordedHistoryOptions): History {
  return {
    ...history,
    search: async (filter, page) => {
      const found = await history.search(filter, page);
      const moving = found.tasks.filter(({ state }) => !isFinished(state)).map(({ id }) => id);
      if (moving.length === 0) return found;
      const live = await summariesOf(broker, moving, page.show);
      return { ...found, tasks: found.tasks.map((task) => live.get(task.id) ?? task) };
    },
    task: async (taskId) => {
      const recorded = heard(history.task(taskId));
      const [body] = await outbox.bodies([taskId]);
      if (body == null) return await recorded;
      return overlaid(body, await recorded.catch(unlessAway));
    },
    lagMs: () => readLag({ recording, broker, outbox, clock }),
  };
}

/** How far a record is behind, also while it cannot be reached. Rejects with STORE_* of the live store. */
export async function readLag({
  recording,
  broker,
  outbox,
  clock,
}: Omit<RecordedHistoryOptions, 'history'>): Promise<number> {
  const [seq, { lastSeq }] = await Promise.all([recordedSeq(recording, outbox, clock), outbox.state()]);
  if (seq >= lastSeq) return 0;
  const [info, [oldest]] = await Promise.all([broker.info(), outbox.read(seq, 1, 0)]);
  // Zero says that nothing is missing, which is more than that what is missing is new.
  return oldest === undefined ? 0 : Math.max(1, info.now - oldest.at);
}

async function recordedSeq(
  recording: Pick<Recording, 'cursor'>,
  outbox: Pick<Outbox, 'state' | 'read'>,
  clock: Clock,
): Promise<number> {
  try {
    return (await within(clock, limits.recordAskMs, recording.cursor())).seq;
  } catch (error) {
    if (!isWithoutRecord(error)) throw error;
    // The first event that is kept is the last one that was recorded.
    const { trimmedSeq } = await outbox.state();
    const [kept] = await outbox.read(trimmedSeq, 1, 0);
    return kept?.seq ?? trimmedSeq;
  }
}

/** Read by so many: each may have a payload of a megabyte, of which a line is kept. */
const partSize = 50;

async function summariesOf(
  broker: Pick<Broker, 'getTasks'>,
  taskIds: readonly string[],
  show: Page['show'],
): Promise<ReadonlyMap<string, TaskSummary>> {
  const summaries = new Map<string, TaskSummary>();
  for (let from = 0; from < taskIds.length; from += partSize) {
    const tasks = await broker.getTasks(taskIds.slice(from, from + partSize));
    for (const task of tasks) if (task !== null) summaries.set(task.id, summaryOf(task, show));
  }
  return summaries;
}

/** A task that was brought back has left its former attempts and log lines in the record. */
function overlaid({ task, attempts, logs }: TaskBody, recorded: TaskRecord | null): TaskRecord {
  const notes = recorded?.notes ?? [];
  const allAttempts = [...before(recorded?.attempts, attempts), ...attempts];
  const allLogs = [...before(recorded?.logs, logs), ...logs];
  return { task, attempts: allAttempts, logs: allLogs, notes, timeline: timelineOf(task, allAttempts, notes) };
}

/** What the live store still has is told without the record, too. */
function unlessAway(error: unknown): null {
  if (isWithoutRecord(error)) return null;
  throw error;
}

/** What the record has of earlier runs. */
function before<Left extends { readonly epoch: number }>(
  recorded: readonly Left[] | undefined,
  live: readonly Left[],
): readonly Left[] {
  const first = live[0]?.epoch ?? Infinity;
  return (recorded ?? []).filter(({ epoch }) => epoch < first);
}
