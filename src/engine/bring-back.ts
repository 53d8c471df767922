/** After the live store was wiped, or went back: what the record knows of it is put there again: settings, then what is unfinished. */

import type { Broker } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import type { Recording } from '../history/recording.ts';
import { bringBackSettings, type SettingsTarget } from './recorded-settings.ts';
import { withoutRemovedParents } from './removed-parents.ts';

/** Answers how many tasks the store did not have. Repeating it is harmless: a task that is there is left alone. */
export async function bringBack(
  broker: Pick<Broker, 'restore'> & SettingsTarget,
  recording: Pick<Recording, 'unfinished' | 'tasks' | 'settings'>,
): Promise<number> {
  await bringBackSettings(broker, recording);
  let restored = 0;
  for (let after: string | null = null; ; ) {
    const page: readonly Task[] = await recording.unfinished(after, pageSize);
    const last = page.at(-1);
    if (last === undefined) return restored;
    await restoreInParts(broker, await parentsOf(recording, page));
    restored += await restoreInParts(broker, await withoutRemovedParents(page, recording));
    after = last.id;
  }
}

/** Payloads may be large: a page of them is still a few calls. */
const pageSize = 200;

/** What has ended and is still waited for: without it a blocked task would wait for ever. */
async function parentsOf(recording: Pick<Recording, 'tasks'>, children: readonly Task[]): Promise<readonly Task[]> {
  const ids = new Set(
    children.flatMap(({ state, dependsOn }) => (state === 'blocked' ? dependsOn : [])).map(({ taskId }) => taskId),
  );
  const parents: Task[] = [];
  for (const part of partsOf([...ids], pageSize)) {
    for (const task of await recording.tasks(part)) if (task !== null && isFinished(task.state)) parents.push(task);
  }
  return parents;
}

async function restoreInParts(broker: Pick<Broker, 'restore'>, tasks: readonly Task[]): Promise<number> {
  let restored = 0;
  let part: Task[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = Buffer.byteLength(task.payload);
    if (part.length > 0 && bytes + size > limits.batchBytesMax) {
      restored += await broker.restore(part);
      part = [];
      bytes = 0;
    }
    part.push(task);
    bytes += size;
  }
  return part.length === 0 ? restored : restored + (await broker.restore(part));
}

function partsOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );
}
