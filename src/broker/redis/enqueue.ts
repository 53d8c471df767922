/** enqueue: stores new tasks, each once, one at a time under its key (lua/enqueue.lua). */

import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { argumentsOf, orderArrivals, type Refusal, refusalError } from './arrivals.ts';
import type { Connection } from './connection.ts';
import { refuseTasks } from './refuse.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

type Stored = readonly [letters: Buffer, others: readonly (number | Buffer)[], hints: Hints];
type Reply = Stored | readonly [refused: Buffer, why: Refusal];

export async function enqueue(
  connection: Connection,
  tasks: readonly NewTask[],
): Promise<Told<readonly EnqueueResult[]>> {
  refuseTasks(tasks);
  if (tasks.length === 0) return { answer: [], signals: [] };
  const arrivals = orderArrivals(tasks);
  const { forms, ids, formOf, extras, payloads } = argumentsOf(arrivals.tasks);
  const args = [forms, ids, formOf, JSON.stringify(extras), ...payloads];
  const reply = await connection.run<Reply>('enqueue', args);
  if (reply.length === 2) throw refusalError(arrivals, reply[1]);
  const results = readResults(arrivals.tasks, reply);
  const replaced = results.flatMap((result) => (result.outcome === 'replaced' ? [result.of] : []));
  const told = { signals: signalsOf(reply[2], replaced), isTold: reply[2][4] === 1 };
  const { positions } = arrivals;
  if (positions === null) return { answer: results, ...told };
  const answer: EnqueueResult[] = [];
  for (const [place, position] of positions.entries()) answer[position] = results[place] as EnqueueResult;
  return { answer, ...told };
}

function readResults(tasks: readonly NewTask[], [letters, others]: Stored): readonly EnqueueResult[] {
  const text = letters.toString('latin1');
  const results = tasks.map(({ id }, place): EnqueueResult => {
    const state = text[place] === 's' ? 'scheduled' : 'queued';
    return { outcome: 'created', taskId: id, state };
  });
  for (let i = 0; i < others.length; i += 4) {
    const place = (others[i] as number) - 1;
    const [outcome, of, state] = [String(others[i + 1]), String(others[i + 2]), String(others[i + 3])];
    const about = { outcome, taskId: tasks[place]?.id, ...(of !== '' && { of }), ...(state !== '' && { state }) };
    results[place] = about as EnqueueResult;
  }
  return results;
}
