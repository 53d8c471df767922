/** Limits by scanning: who runs is looked up for each question, so that no count can be wrong. */

import type { LimitFact, Pause } from '../../core/facts.ts';
import {
  inForce,
  isSameRate,
  type LimitSettings,
  noSettings,
  queueLimitName,
  queueOfLimit,
  queueRule,
  takeToken,
  tokenAt,
} from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { LimitRule, Task } from '../../core/task.ts';
import type { LimitRecord, Settings } from '../broker.ts';
import type { Row } from './state.ts';
import type { Step } from './step.ts';

/** What is stored about the name of a limit beside the tasks that carry it. */
export interface LimitState extends LimitSettings {
  /** See `tokenAt`; 0 when no token is out. */
  readonly tatUs: number;
  /** Whether a claim found no slot since the last one was freed. */
  readonly missed: boolean;
  readonly pause: Pause | null;
}

const untouched: LimitState = { ...noSettings, tatUs: 0, missed: false, pause: null };

/** Asks for a claim, task after task in claim order; limits found full stay closed for the rest of it. */
export function createGate(step: Step): (task: Task) => boolean {
  const closed = new Set<string>();
  return (task) => {
    const rules = rulesOf(step, task);
    if (rules.some(({ name }) => closed.has(name))) return false;
    for (const rule of rules) {
      if (limitOf(step, rule.name).pause !== null) closed.add(rule.name);
      if (!hasSlot(step, rule)) {
        change(step, rule.name, { missed: true });
        step.freed.delete(rule.name);
        closed.add(rule.name);
      }
      if (tokenTime(step, rule) !== null) closed.add(rule.name);
    }
    return !rules.some(({ name }) => closed.has(name));
  };
}

/** Those of the task, and the one of its queue. */
function rulesOf(step: Step, { limits: rules, queue }: Task): readonly LimitRule[] {
  const { max, rate } = limitOf(step, queueLimitName(queue));
  return max === null && rate === null ? rules : [...rules, queueRule(queue)];
}

/** Takes the tokens of a task that is claimed; its slots it takes by running. */
export function takeTokens(step: Step, task: Task): void {
  for (const rule of rulesOf(step, task)) {
    const state = limitOf(step, rule.name);
    const { rate } = inForce(rule, state);
    if (rate !== null) change(step, rule.name, { tatUs: takeToken(state.tatUs, rate, step.now) });
  }
}

/** Notes the slots that a run leaves; those that somebody waits for are signalled. */
export function leaveSlots(step: Step, task: Task): void {
  for (const { name } of rulesOf(step, task)) {
    if (!limitOf(step, name).missed) continue;
    change(step, name, { missed: false });
    step.freed.add(name);
  }
}

export function configureLimit(step: Step, name: string, { max, rate, pause }: Settings): void {
  if (max !== undefined) change(step, name, { max });
  if (rate !== undefined && !isSameRate(rate, limitOf(step, name).rate)) change(step, name, { rate, tatUs: 0 });
  change(step, name, { pause: pauseOf(step, limitOf(step, name).pause, pause) });
  step.freed.add(name);
}

/** The pause after a setting of it. */
export function pauseOf(step: Step, known: Pause | null, pause: Settings['pause']): Pause | null {
  return pause === undefined ? known : pause && { by: pause.by, reason: pause.reason, at: step.now };
}

export function getLimits(step: Step, from: string | null, limit: number): readonly LimitRecord[] {
  const running = [...step.state.rows.values()].filter(({ task }) => task.state === 'running');
  const held = running.flatMap(({ task }) => task.limits.map(({ name }) => name));
  const configured = [...step.state.limits].filter(([, { max, rate, pause }]) => max ?? rate ?? pause);
  return [...new Set([...held, ...configured.map(([name]) => name)])]
    .filter((name) => queueOfLimit(name) === null && (from === null || name >= from))
    .sort((left, right) => (left < right ? -1 : 1))
    .slice(0, Math.min(limit, limits.pageMax))
    .map((name) => {
      const { max, rate, pause } = limitOf(step, name);
      return { name, max, rate, pause, held: holdersOf(step, name).length };
    });
}

/** `null` when the queue has no limit. */
export function queueLimitFact(step: Step, queue: string): LimitFact | null {
  const { max, rate } = limitOf(step, queueLimitName(queue));
  return max === null && rate === null ? null : { ...limitFact(step, queueRule(queue)), name: queue };
}

/** What is configured for the queue. */
export function queueSettings(step: Step, queue: string): LimitSettings {
  const { max, rate } = limitOf(step, queueLimitName(queue));
  return { max, rate };
}

export function limitFact(step: Step, rule: LimitRule): LimitFact {
  const holders = holdersOf(step, rule.name).sort((left, right) => (left.task.id < right.task.id ? -1 : 1));
  return {
    name: rule.name,
    pause: limitOf(step, rule.name).pause,
    max: inForce(rule, limitOf(step, rule.name)).max,
    holders: holders.slice(0, limits.holdersMax).map(({ task }) => ({
      taskId: task.id,
      workerId: task.workerId,
      sinceAt: task.claimedAt ?? step.now,
    })),
    held: holders.length,
    tokenAt: tokenTime(step, rule),
  };
}

function hasSlot(step: Step, rule: LimitRule): boolean {
  const { max } = inForce(rule, limitOf(step, rule.name));
  return max === null || holdersOf(step, rule.name).length < max;
}

/** When there is a token again; `null` when there is one now, or no rate. */
function tokenTime(step: Step, rule: LimitRule): number | null {
  const state = limitOf(step, rule.name);
  const { rate } = inForce(rule, state);
  const at = rate === null ? 0 : tokenAt(state.tatUs, rate);
  return at > step.now ? at : null;
}

function holdersOf(step: Step, name: string): Row[] {
  const queue = queueOfLimit(name);
  return [...step.state.rows.values()].filter(
    ({ task }) =>
      task.state === 'running' &&
      (queue === null ? task.limits.some((rule) => rule.name === name) : task.queue === queue),
  );
}

function limitOf(step: Step, name: string): LimitState {
  return step.state.limits.get(name) ?? untouched;
}

function change(step: Step, name: string, patch: Partial<LimitState>): void {
  step.state.limits.set(name, { ...limitOf(step, name), ...patch });
}
