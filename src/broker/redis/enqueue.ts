/** enqueue: stores new tasks, each once, one at a time under its key (lua/enqueue.lua). */

import { idLength } from '../../core/ids.ts';
import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { emptiedBy, type HandOver } from '../hand-over.ts';
import { type Arrivals, argumentsOf, orderArrivals, type Refusal, refusalError } from './arrivals.ts';
import { type ClaimReply, readClaimed, requestText } from './claim.ts';
import type { Connection } from './connection.ts';
import { refuseTasks } from './refuse.ts';
import { type Hints, signalsOf, type Told, withoutQueues } from './signals.ts';

type Stored = readonly [
  letters: Buffer,
  others: readonly (number | Buffer)[],
  hints: Hints,
  claimed?: ClaimReply,
  isRepeated?: number,
];
/** A number when all were queued as they came: whether the script has told of it. */
type Reply = number | Stored | readonly [refused: Buffer, why: Refusal];
type Results = Told<readonly EnqueueResult[]>;

const nothing: Results = { answer: [], signals: [] };

export async function enqueue(connection: Connection, tasks: readonly NewTask[]): Promise<Results> {
  refuseTasks(tasks);
  if (tasks.length === 0) return nothing;
  const arrivals = orderArrivals(tasks);
  return readReply(arrivals, await connection.run<Reply>('enqueue', scriptArguments(arrivals)));
}

/** And claims in the same step what a worker of this process waits for (lua/hand-over.lua). */
export async function enqueueAndHandOver(
  connection: Connection,
  handOver: HandOver,
  tasks: readonly NewTask[],
): Promise<Results> {
  refuseTasks(tasks);
  const request = handOver.claim(claimableQueues(tasks));
  if (request === null) return enqueue(connection, tasks);
  try {
    const arrivals = orderArrivals(tasks);
    const args = [...scriptArguments(arrivals), requestText(request, connection)];
    const reply = await connection.run<Reply>('hand-over', args);
    const { answer, signals } = readReply(arrivals, reply);
    const [, , , claimReply, isRepeated] = reply as Required<Stored>;
    const claimed = readClaimed(claimReply, request.token);
    handOver.done(claimed);
    // What an enqueue elsewhere had given to the claim before says nothing of these tasks.
    return { answer, signals: isRepeated === 1 ? signals : withoutQueues(signals, emptiedBy(request, claimed)) };
  } catch (error) {
    handOver.failed();
    throw error;
  }
}

/** Of tasks that can wait for nothing but a worker. Whether the others will is known to the store alone. */
function claimableQueues(tasks: readonly NewTask[]): ReadonlySet<string> {
  const plain = tasks.filter(
    ({ delayMs, at, key, dependsOn }) => delayMs === 0 && at === null && key === null && dependsOn.length === 0,
  );
  return new Set(plain.map(({ queue }) => queue));
}

function scriptArguments({ tasks }: Arrivals): readonly string[] {
  const { forms, ids, formOf, extras, payloads } = argumentsOf(tasks);
  const areIds = ids.every((id) => id.length === idLength);
  const isPlain = areIds && formOf === '' && extras.length === 0 && isAscending(ids);
  const idText = areIds ? ids.join(' ') : JSON.stringify(ids);
  return [forms, idText, isPlain ? '=' : formOf, JSON.stringify(extras), ...payloads];
}

/** Then none is named twice. */
function isAscending(ids: readonly string[]): boolean {
  let last = '';
  for (const id of ids) {
    if (id <= last) return false;
    last = id;
  }
  return true;
}

function readReply(arrivals: Arrivals, reply: Reply): Results {
  if (typeof reply === 'number') return allQueued(arrivals.tasks, reply === 1);
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

function allQueued(tasks: readonly NewTask[], isTold: boolean): Results {
  const [first] = tasks;
  const answer = tasks.map(({ id }): EnqueueResult => ({ outcome: 'created', taskId: id, state: 'queued' }));
  return { answer, signals: first === undefined ? [] : [{ kind: 'work', queues: [first.queue] }], isTold };
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
