/** enqueue: stores new tasks, each once, one at a time under its key (lua/enqueue.lua). */

import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult, Signal } from '../broker.ts';
import type { Connection } from './connection.ts';
import { createForms } from './forms.ts';
import { refuseTasks } from './refuse.ts';
import { moreText, rulesText, shapeOf } from './rows.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

type Reply = readonly [letters: Buffer, others: readonly (number | Buffer)[], hints: Hints];

export async function enqueue(
  connection: Connection,
  tasks: readonly NewTask[],
): Promise<Told<readonly EnqueueResult[]>> {
  refuseTasks(tasks);
  if (tasks.length === 0) return { answer: [], signals: [] };
  const forms = createForms(isLike, formOf);
  const ids: string[] = [];
  const extras: unknown[] = [];
  const payloads: string[] = [];
  for (const task of tasks) {
    forms.add(task);
    ids.push(task.id);
    payloads.push(task.payload);
    const [rules, more] = [rulesText(task.limits), moreText(task)];
    if (task.key !== null || rules !== false || more !== false)
      extras.push([ids.length, task.key ?? false, rules, more]);
  }
  const [formList, formOfEach] = forms.args();
  const args = [formList, ids.join(' '), formOfEach, JSON.stringify(extras), ...payloads];
  const reply = await connection.run<Reply>('enqueue', args);
  const answer = readResults(ids, reply);
  return { answer, signals: [...signalsOf(reply[2]), ...replacedSignals(answer)] };
}

function isLike(one: NewTask, other: NewTask): boolean {
  return (
    one.name === other.name &&
    one.queue === other.queue &&
    one.priority === other.priority &&
    one.policy === other.policy &&
    one.timeoutMs === other.timeoutMs &&
    one.keepMs === other.keepMs &&
    one.keyForMs === other.keyForMs &&
    one.ifExists === other.ifExists &&
    one.strictCancel === other.strictCancel &&
    one.schemaVersion === other.schemaVersion &&
    one.delayMs === other.delayMs &&
    one.at === other.at &&
    one.startWithinMs === other.startWithinMs &&
    one.expiresInMs === other.expiresInMs &&
    (one.tags === other.tags || (one.tags.length === 0 && other.tags.length === 0))
  );
}

function formOf(task: NewTask): string {
  const { delayMs, at, startWithinMs, expiresInMs } = task;
  return JSON.stringify([shapeOf(task), delayMs, at ?? false, startWithinMs ?? false, expiresInMs ?? false]);
}

function readResults(ids: readonly string[], [letters, others]: Reply): readonly EnqueueResult[] {
  const text = letters.toString('latin1');
  const results = ids.map((taskId, place): EnqueueResult => {
    const state = text[place] === 's' ? 'scheduled' : 'queued';
    return { outcome: 'created', taskId, state };
  });
  for (let i = 0; i < others.length; i += 4) {
    const place = (others[i] as number) - 1;
    const [outcome, of, state] = [String(others[i + 1]), String(others[i + 2]), String(others[i + 3])];
    const about = { outcome, taskId: ids[place], ...(of !== '' && { of }), ...(state !== '' && { state }) };
    results[place] = about as EnqueueResult;
  }
  return results;
}

/** Those whose place a new task has taken. */
function replacedSignals(results: readonly EnqueueResult[]): readonly Signal[] {
  const taskIds = results.flatMap((result) => (result.outcome === 'replaced' ? [result.of] : []));
  return taskIds.length > 0 ? [{ kind: 'finished', taskIds }] : [];
}
