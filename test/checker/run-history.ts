/** A whole history in memory, as tests gather it, and its way to the judge. */

import type { CountRecord } from '../../src/broker/sql/counts.ts';
import type {
  ClientEntry,
  Effect,
  KeyRefusal,
  PatchEntry,
  ProcessEntry,
  SettingEntry,
} from '../../src/checker/evidence.ts';
import { createJudge, type JudgeOptions } from '../../src/checker/judge.ts';
import type { Tell, Verdict } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { viewOf } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';

export interface RunHistory {
  readonly events: readonly BatchEvent[];
  readonly tasks: readonly Task[];
  /** As the store keeps them. */
  readonly counts: readonly CountRecord[];
  /** Tasks that the store still counts as held by some claim. */
  readonly held: number;
  readonly client: readonly ClientEntry[];
  readonly effects: readonly Effect[];
  readonly processes?: readonly ProcessEntry[];
  readonly settings?: readonly SettingEntry[];
  readonly patches?: readonly PatchEntry[];
  readonly refusals?: readonly KeyRefusal[];
  /** The keys that the store holds at the end for unfinished tasks. */
  readonly heldKeys?: readonly { readonly key: string; readonly taskId: string }[];
}

/** Judges a history that is complete. Nothing is forgotten in it: an id may be used again after its task was removed. */
export function judge(history: RunHistory, options: JudgeOptions = {}): Verdict {
  const { processes = [], settings = [], patches = [], refusals = [], heldKeys } = history;
  const judging = createJudge({ forgets: false, ...options });
  for (const entry of processes) judging.process(entry);
  for (const entry of settings) judging.setting(entry);
  for (const entry of patches) judging.patch(entry);
  for (const entry of [...refusals].sort((left, right) => left.seq - right.seq)) judging.refusal(entry);
  const policies = new Map(history.tasks.map(({ id, policy }) => [id, policy]));
  // Not every client writes its policy down.
  const withPolicy = (entry: ClientEntry): ClientEntry => {
    const policy = entry.asked?.policy ?? policies.get(entry.taskId);
    return policy === undefined || entry.step !== 'invoke' ? entry : { ...entry, asked: { ...entry.asked, policy } };
  };
  for (const entry of history.client) judging.client(withPolicy(entry));
  for (const effect of history.effects) judging.effect(effect);
  for (const event of history.events) judging.event(event);
  for (const task of history.tasks) judging.row(task);
  checkStore(history, judging.tell);
  return judging.finish(heldKeys === undefined ? {} : { heldKeys });
}

/** Nothing is held once all is over, and what is kept is what counting gives. */
function checkStore(history: RunHistory, tell: Tell): void {
  const running = history.tasks.filter(({ state }) => state === 'running').length;
  if (history.held !== running) tell('S11', null, `claims hold ${history.held} tasks and ${running} run`);
  const recount = new Map<string, number>();
  for (const task of history.tasks) {
    const name = `${task.queue} ${task.name} ${viewOf(task)}`;
    recount.set(name, (recount.get(name) ?? 0) + 1);
  }
  for (const { queue, name, view, count } of history.counts) {
    const counted = recount.get(`${queue} ${name} ${view}`) ?? 0;
    recount.delete(`${queue} ${name} ${view}`);
    if (counted !== count)
      tell('S21', null, `the count of ${queue} ${name} ${view} is ${count}, a recount gives ${counted}`);
  }
  for (const [name, counted] of recount) tell('S21', null, `${name} is not counted, a recount gives ${counted}`);
}

/** Throws with the first few broken rules, and with `run`: what it takes to run the scenario again. */
export function assertValid(history: RunHistory, run = '', options: JudgeOptions = {}): void {
  // Real processes share their processors with other tests.
  const { result, violations, broken, context, doubts } = judge(history, { toldWithinMs: 5_000, ...options });
  if (result === 'valid') return;
  const lines = violations.slice(0, 20).map(({ rule, taskId, sentence }) => `${rule} ${taskId ?? ''} ${sentence}`);
  throw new Error(
    [`${result}, ${broken} violations: ${run}`, ...doubts, ...lines, 'Before it:', ...context].join('\n'),
  );
}
