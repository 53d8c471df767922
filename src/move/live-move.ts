/** What both ways between a database and a live store in none have in common. */

import { createHash } from 'node:crypto';
import type { Broker, Outbox, QueueRecord } from '../broker/broker.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import type { MoveReport } from '../broker/sql/move.ts';
import { movePause } from '../broker/sql/moved-tables.ts';
import type { SettingsOf } from '../broker/sql/settings-of.ts';
import type { Chance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Pause } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import { isAlive } from '../core/presence.ts';
import type { ScheduleRecord } from '../core/schedule.ts';
import type { Task } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import { withoutRemovedParents } from '../engine/removed-parents.ts';
import type { Recording } from '../history/recording.ts';

export type LiveStore = Broker & { readonly outbox: Outbox };

/** All of it is open; `recording` is over the same database. */
export interface LiveMoveOptions {
  readonly live: LiveStore;
  readonly driver: SqlDriver;
  readonly recording: Recording;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Also while servers and workers use the source. */
  readonly force: boolean;
  readonly onProgress?: (step: 'move' | 'compare', what: string, count: number) => void;
}

export type { MoveReport };

/** Tasks of one page: each may have a payload of 1 MiB. */
export const tasksAtOnce = 100;
const namesAtOnce = 100;

interface Sides {
  readonly from: SettingsOf;
  readonly to: SettingsOf;
}

/** Reads every unfinished task and every schedule on both sides, and the kept counts. Throws MOVE_INCOMPLETE where they differ. */
export async function compare({ live, recording, onProgress }: LiveMoveOptions, { from, to }: Sides) {
  const hash = createHash('sha256');
  let rows = 0;
  for (let after: string | null = null; ; ) {
    const page: readonly Task[] = await recording.unfinished(after, tasksAtOnce);
    const texts = await textsOf(page, recording);
    const others = await textsOf(await live.getTasks(page.map(({ id }) => id)), recording);
    for (const { id } of page) {
      const [text, other] = [texts.get(id), others.get(id)];
      if (other !== text)
        throw taskFlowError('MOVE_INCOMPLETE', { table: `task ${id}`, source: 1, target: other === undefined ? 0 : 1 });
      hash.update(`${text}\n`);
    }
    rows += page.length;
    onProgress?.('compare', 'tasks', page.length);
    after = page.at(-1)?.id ?? null;
    if (after === null) break;
  }
  await compareCounts(from, to);
  hash.update(await compareSchedules(from, to));
  return { rows, checksum: hash.digest('hex').slice(0, 32) };
}

/** Unfinished tasks by queue and view. */
async function compareCounts(source: SettingsOf, target: SettingsOf): Promise<void> {
  const [from, to] = [unfinishedOf(await source.getQueues()), unfinishedOf(await target.getQueues())];
  for (const name of new Set([...from.keys(), ...to.keys()])) {
    const [tasks, others] = [from.get(name) ?? 0, to.get(name) ?? 0];
    if (tasks !== others)
      throw taskFlowError('MOVE_INCOMPLETE', { table: `the tasks of ${name}`, source: tasks, target: others });
  }
}

function unfinishedOf(queues: readonly QueueRecord[]): ReadonlyMap<string, number> {
  const views = ['blocked', 'scheduled', 'retrying', 'queued', 'running'] as const;
  return new Map(
    queues.flatMap(({ name, counts }) =>
      views.flatMap((view): [string, number][] => (counts[view] ? [[`${name}/${view}`, counts[view]]] : [])),
    ),
  );
}

/** How many tasks are unfinished. */
export function waitingIn(queues: readonly QueueRecord[]): number {
  return [...unfinishedOf(queues).values()].reduce((sum, count) => sum + count, 0);
}

/** Throws STORE_IN_USE. */
export async function refuseLivingIn(live: LiveStore, side: string): Promise<void> {
  const { now } = await live.info();
  const living = (await live.getWorkers()).filter((worker) => isAlive(worker, now));
  const names = living.map(({ workerId }) => workerId).join(', ');
  if (living.length > 0) throw taskFlowError('STORE_IN_USE', { workers: `${names} (${side})` });
}

/** Each as one text, by its id: whatever the order of its fields. Nobody holds the lease of a task that was moved. */
async function textsOf(tasks: readonly (Task | null)[], recording: Recording): Promise<ReadonlyMap<string, string>> {
  const found = await withoutRemovedParents(
    tasks.filter((task) => task !== null),
    recording,
  );
  return new Map(found.map((task) => [task.id, sortedText({ ...task, token: null })]));
}

function sortedText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}

/** Pauses, limits and weights, and schedules as they are. Repeating it changes nothing. */
export async function moveSettings(from: SettingsOf, to: SettingsOf): Promise<Readonly<Record<string, number>>> {
  const queues = await from.getQueues();
  for (const { name, pause, max, rate } of queues)
    await to.configure('queue', name, { pause: pauseOf(pause), max, rate });
  let [groups, rules, schedules] = [0, 0, 0];
  for await (const { name, weight, pause } of named((after) => from.getGroups(after, namesAtOnce + 1))) {
    groups += 1;
    await to.configure('group', name, { weight, pause: pauseOf(pause) });
  }
  for await (const { name, max, rate, pause } of named((after) => from.getLimits(after, namesAtOnce + 1))) {
    // One that is only held was not configured.
    if (max === null && rate === null && pause === null) continue;
    rules += 1;
    await to.configure('limit', name, { max, rate, pause: pauseOf(pause) });
  }
  for (let after: string | null = null; ; ) {
    const page = await from.schedules.list(after, namesAtOnce);
    for (const part of partsBySize(page, ({ definition }) => definition)) await to.schedules.restore(part);
    schedules += page.length;
    after = page.at(-1)?.name ?? null;
    if (after === null) return { queues: queues.length, groups, limits: rules, schedules };
  }
}

async function compareSchedules(source: SettingsOf, target: SettingsOf): Promise<string> {
  const texts: string[] = [];
  for (let after: string | null = null; ; ) {
    const page: readonly ScheduleRecord[] = await source.schedules.list(after, namesAtOnce);
    const [from, to] = [page.map(sortedText), (await target.schedules.list(after, namesAtOnce)).map(sortedText)];
    if (from.join('\n') !== to.join('\n'))
      throw taskFlowError('MOVE_INCOMPLETE', { table: 'schedules', source: from.length, target: to.length });
    texts.push(...from);
    after = page.at(-1)?.name ?? null;
    if (after === null) return texts.join('\n');
  }
}

/** That of the move itself is not moved. */
function pauseOf(pause: Pause | null): Omit<Pause, 'at'> | null {
  return pause === null || pause.by === movePause ? null : { by: pause.by, reason: pause.reason };
}

/** Names that go by pages which begin with one: the last of a page is the first of the next. */
async function* named<Record extends { readonly name: string }>(
  read: (from: string | null) => Promise<readonly Record[]>,
): AsyncGenerator<Record> {
  for (let from: string | null = null; ; ) {
    const page: readonly Record[] = await read(from);
    yield* page.slice(0, namesAtOnce);
    from = page[namesAtOnce]?.name ?? null;
    if (from === null) return;
  }
}

/** Parts that fit into one call. */
export function* partsBySize<Item>(items: readonly Item[], textIn: (item: Item) => string): Generator<readonly Item[]> {
  let part: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(textIn(item));
    if (part.length > 0 && bytes + size > limits.batchBytesMax) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
