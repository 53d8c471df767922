/** cancel, retry, remove, update, configure: what people ask for. */

import { checkLimitRules } from '../../core/limit-rules.ts';
import { checkSettings } from '../../core/settings.ts';
import type { TaskState } from '../../core/states.ts';
import type {
  CancelRequest,
  CancelResult,
  RemoveResult,
  RetryResult,
  Scope,
  Settings,
  Signal,
  TaskChange,
  UpdateResult,
} from '../broker.ts';
import type { Connection } from './connection.ts';
import { refuseLargeBatch } from './refuse.ts';
import { rulesText, textsOf } from './rows.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

/** A word for each task, with what it is about behind it. */
type Words = readonly Buffer[];
type WordsAndHints = readonly [words: Words, hints: Hints];

export async function cancel(
  connection: Connection,
  { taskIds, reason, flowId = null, reach }: CancelRequest,
): Promise<Told<readonly CancelResult[]>> {
  refuseLargeBatch(taskIds);
  const args = [
    taskIds.join(' '),
    reason === null ? '0' : '1',
    reason ?? '',
    flowId ?? '',
    reach === undefined ? '' : JSON.stringify(reach),
  ];
  type Reply = readonly [words: Words, hints: Hints, ofFlow: readonly Buffer[]];
  const [list, hints, ofFlow] = await connection.run<Reply>('cancel', args);
  const words = list.map(String);
  const allIds = [...taskIds, ...ofFlow.map(String)];
  const idsOf = (word: string): string[] => allIds.filter((_taskId, place) => words[place] === word);
  const requested = idsOf('requested');
  const signals = [...signalsOf(hints, idsOf('cancelled'))];
  if (requested.length > 0) signals.unshift({ kind: 'cancel', taskIds: requested });
  return { answer: words.map((word) => resultOf<CancelResult>(word === 'again' ? 'requested' : word)), signals };
}

export async function retry(connection: Connection, taskIds: readonly string[]): Promise<Told<readonly RetryResult[]>> {
  refuseLargeBatch(taskIds);
  const [words, hints] = await connection.run<WordsAndHints>('retry', [taskIds.join(' ')]);
  const answer = words.map((word): RetryResult => {
    const [outcome, about = ''] = String(word).split(' ');
    if (outcome === 'queued' || outcome === 'blocked') return { outcome, generation: Number(about) };
    return resultOf(String(word));
  });
  return { answer, signals: signalsOf(hints) };
}

export async function remove(connection: Connection, taskIds: readonly string[]): Promise<readonly RemoveResult[]> {
  refuseLargeBatch(taskIds);
  return (await connection.run<Words>('remove', [taskIds.join(' ')])).map((word) => resultOf(String(word)));
}

export async function update(
  connection: Connection,
  changes: readonly TaskChange[],
): Promise<Told<readonly UpdateResult[]>> {
  refuseLargeBatch(changes);
  for (const { patch } of changes) if (patch.limits !== undefined) checkLimitRules(patch.limits);
  const text = JSON.stringify(
    changes.map(({ taskId, version, patch: { limits, tags, ...fields } }) => ({
      id: taskId,
      version: version ?? false,
      ...fields,
      ...(limits !== undefined && { rules: rulesText(limits) }),
      ...(tags !== undefined && { tags: textsOf(tags) }),
    })),
  );
  const [words, hints] = await connection.run<WordsAndHints>('update', [text]);
  const answer = words.map((word): UpdateResult => {
    const [outcome, about = ''] = String(word).split(' ');
    if (outcome === 'changed') return { outcome, version: Number(about) };
    return resultOf(String(word));
  });
  return { answer, signals: signalsOf(hints) };
}

export async function configure(
  connection: Connection,
  scope: Scope,
  name: string,
  settings: Settings,
): Promise<readonly Signal[]> {
  checkSettings(scope, name, settings);
  const { pause, max, rate, weight } = settings;
  const text = JSON.stringify({
    ...(pause !== undefined && { pause: pause === null ? false : { by: pause.by, reason: pause.reason } }),
    ...(max !== undefined && { max: max ?? false }),
    ...(rate !== undefined && { rate: rate ?? false }),
    ...(weight !== undefined && { weight: weight ?? false }),
  });
  const isResumed = (await connection.run<number>('configure', [scope, name, text])) === 1;
  const told: Signal = { kind: 'settings' };
  // What a limit or a group held back may wait in any queue.
  const isLimit = scope === 'limit' || max !== undefined || rate !== undefined;
  if (isLimit || (isResumed && scope === 'group')) return [{ kind: 'work', queues: null }, told];
  return isResumed ? [{ kind: 'work', queues: [name] }, told] : [told];
}

/** A result whose second word is a state, or another task. */
function resultOf<Result>(words: string): Result {
  const [outcome = '', about] = words.split(' ');
  if (about === undefined) return { outcome } as Result;
  return (outcome === 'conflict' ? { outcome, of: about } : { outcome, state: about as TaskState }) as Result;
}
