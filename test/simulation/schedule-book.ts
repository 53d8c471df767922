/** S13: every time of a schedule is fired at most once, and fired or skipped exactly once while the schedule is there. */

import type { Tell } from '../../src/checker/verdict.ts';
import { limits } from '../../src/core/limits.ts';
import type { ScheduleDefinition, SkipReason } from '../../src/core/schedule.ts';
import { cronTimesByMinutes } from '../support/cron-by-minutes.ts';

/** What the store did about a schedule, in the order in which it did it. */
export type ScheduleFact = { readonly schedule: string; readonly now: number } & (
  | { readonly did: 'put'; readonly definition: ScheduleDefinition; readonly next: number | null }
  | { readonly did: 'delete' }
  | { readonly did: 'pause'; readonly paused: boolean }
  /** `isBusy`: the last task of the schedule was unfinished. */
  | {
      readonly did: 'fire';
      readonly at: number;
      readonly dueAt: number;
      readonly taskId: string;
      readonly next: number | null;
      readonly isBusy: boolean;
    }
  | {
      readonly did: 'skip';
      readonly at: number;
      readonly reason: SkipReason;
      readonly next: number | null;
      readonly isBusy: boolean;
    }
);

export interface ScheduleBook {
  take(fact: ScheduleFact): void;
  /** The store's clock has just been stepped forward: what was on its way arrives that much later, and nobody is to blame. */
  stepped(ms: number): void;
  /** Nothing bad has happened for a while: no schedule may be behind its time. */
  end(now: number): void;
}

interface Entry {
  definition: ScheduleDefinition;
  next: number | null;
  paused: boolean;
}

/** How late a call may reach the store after its scheduler looked, and how long a schedule may wait in a healthy world. */
const onTheWayMs = 40_000;

/** `elapsed`: a clock that nobody steps. */
export function createScheduleBook(tell: Tell, elapsed: () => number): ScheduleBook {
  const entries = new Map<string, Entry>();
  /** Task of each time that was ever fired. */
  const fired = new Map<string, string>();
  const steps: { readonly ms: number; readonly at: number }[] = [];
  const says = (sentence: string, taskId: string | null = null): void => tell('S13', taskId, sentence);

  function put(fact: ScheduleFact & { readonly did: 'put' }): void {
    const known = entries.get(fact.schedule);
    if (known !== undefined && hasSameTimes(known.definition, fact.definition)) {
      if (fact.next !== known.next)
        says(`${fact.schedule} lost its next time ${known.next} by a change of something else`);
    } else if (fact.next !== null && !isTime(fact.definition, fact.next))
      says(`${fact.schedule} begins at ${fact.next}, which is none of its times`);
    entries.set(fact.schedule, { definition: fact.definition, next: fact.next, paused: known?.paused ?? false });
  }

  /**
   * How far the store's clock was stepped while a call that arrives now may have been on its way. Counted by a clock that is
   * not stepped: by the store's, the second of two steps would make the first one old.
   */
  function steppedMs(): number {
    return steps.filter(({ at }) => elapsed() - at <= onTheWayMs).reduce((sum, { ms }) => sum + ms, 0);
  }

  /** The part that fired and skipped times have in common. Answers what is known of the schedule. */
  function move(fact: ScheduleFact & { readonly did: 'fire' | 'skip' }): Entry | null {
    const entry = entries.get(fact.schedule);
    if (entry === undefined) {
      says(`${fact.schedule} is unknown and something was done about ${fact.at}`);
      return null;
    }
    if (entry.next !== fact.at) says(`${fact.schedule}: ${fact.did} of ${fact.at}, where ${entry.next} was next`);
    if (fact.next !== null && !isTime(entry.definition, fact.next))
      says(`${fact.schedule}: ${fact.next} is none of its times`);
    entry.next = fact.next;
    return entry;
  }

  function fire(fact: ScheduleFact & { readonly did: 'fire' }): void {
    const { schedule, at, taskId, now, dueAt } = fact;
    const time = `${schedule} ${at}`;
    const other = fired.get(time);
    if (other !== undefined && other !== taskId) says(`${time} was fired as ${other} and as ${taskId}`, taskId);
    fired.set(time, taskId);
    const entry = move(fact);
    if (entry === null) return;
    const { definition, paused } = entry;
    const successor = nextTime(definition, at);
    if (fact.next !== successor) says(`${time}: then comes ${successor}, and not ${fact.next}`, taskId);
    if (now < dueAt) says(`${time} was fired ${dueAt - now} ms early`, taskId);
    if (paused) says(`${time} was fired while it was paused`, taskId);
    if (definition.overlap === 'skip' && fact.isBusy) says(`${time} was fired beside an unfinished one`, taskId);
    const lateMs = now - dueAt - steppedMs();
    if (lateMs > mayBeLateMs(definition)) says(`${time} was caught up on after ${lateMs} ms`, taskId);
  }

  function skip(fact: ScheduleFact & { readonly did: 'skip' }): void {
    const entry = move(fact);
    if (entry === null) return;
    if (fact.reason === 'paused' && !entry.paused)
      says(`${fact.schedule} ${fact.at} was skipped as paused, and was not`);
    if (fact.reason === 'overlap' && !fact.isBusy)
      says(`${fact.schedule} ${fact.at} was skipped for a task that had ended`);
    if (fact.reason === 'missed' && fact.now < fact.at) says(`${fact.schedule} ${fact.at} was skipped before its time`);
  }

  return {
    stepped: (ms) => void steps.push({ ms, at: elapsed() }),
    take(fact) {
      if (fact.did === 'put') put(fact);
      else if (fact.did === 'delete') entries.delete(fact.schedule);
      else if (fact.did === 'fire') fire(fact);
      else if (fact.did === 'skip') skip(fact);
      else {
        const entry = entries.get(fact.schedule);
        if (entry !== undefined) entry.paused = fact.paused;
      }
    },
    end(now) {
      for (const [name, { next, definition }] of entries) {
        if (next !== null && next + definition.jitterMs + onTheWayMs < now)
          says(`${name} stands still at ${next}, ${now - next} ms behind`);
      }
    },
  };
}

/** Oldest time that may still be fired, with what a call may need on its way. */
function mayBeLateMs({ catchUp }: ScheduleDefinition): number {
  if (catchUp.kind === 'latest') return Number.POSITIVE_INFINITY;
  return onTheWayMs + Math.max(limits.firingGraceMs, catchUp.kind === 'all' ? catchUp.withinMs : 0);
}

const minuteMs = 60_000;
/** No simulated expression is rarer than this. */
const rarestMs = 25 * 60 * minuteMs;

/** The first time after `at`: the reckoning of this book alone. */
function nextTime({ timing }: ScheduleDefinition, at: number): number {
  if ('everyMs' in timing) return at - (((at % timing.everyMs) + timing.everyMs) % timing.everyMs) + timing.everyMs;
  const from = (Math.floor(at / minuteMs) + 1) * minuteMs;
  for (let step = 10; ; step *= 4) {
    const [first] = cronTimesByMinutes(timing.cron, timing.timezone, from, from + Math.min(step * minuteMs, rarestMs));
    if (first !== undefined) return first;
    if (step * minuteMs > rarestMs) throw new Error(`${timing.cron} is rarer than simulated expressions are`);
  }
}

function isTime(definition: ScheduleDefinition, at: number): boolean {
  return nextTime(definition, at - 1) === at;
}

function hasSameTimes(one: ScheduleDefinition, other: ScheduleDefinition): boolean {
  return JSON.stringify([one.timing, one.jitterMs]) === JSON.stringify([other.timing, other.jitterMs]);
}
