/**
 * Steps that a database does in one statement: a way there and back, and one message instead of ten. That is for what most steps
 * are; whatever is special about one is left to the step of many statements, which is right for everything.
 */

import type { ClaimedTask, NewTask, Settlement } from '../../core/task.ts';
import type { Broker, ClaimRequest, EnqueueResult, SettleAnswer, Signal } from '../broker.ts';
import type { Subscribers } from '../subscribers.ts';
import type { Look, ReadClock } from './looks.ts';
import type { StandingClaims } from './standing.ts';
import type { Memory } from './step.ts';

/** What was done, all of it, and stored. */
export interface Whole<Answer> {
  readonly answer: Answer;
  /** For the listeners of this process, and for those of others, who may have been told already. */
  readonly signals: readonly Signal[];
  readonly untold: readonly Signal[];
}

/** `null` says that nothing was done, and is no more than that: the call is to be made as a step of many statements. */
export interface WholeSteps {
  /** Where claims that found nothing stand. */
  readonly standing?: StandingClaims;
  enqueue(tasks: readonly NewTask[]): Promise<Whole<readonly EnqueueResult[]> | null>;
  claim(request: ClaimRequest): Promise<Whole<readonly ClaimedTask[]> | null>;
  /** What it claims is what is there and not special: where it claims nothing, there may be something for the step of many statements. */
  settle(settlements: readonly Settlement[], claimNext?: ClaimRequest): Promise<Whole<SettleAnswer> | null>;
}

/** What they share with the other steps of their broker. */
export interface WholeWay {
  readonly clock: ReadClock;
  readonly lastNow: () => number;
  readonly memory: Memory;
}

/** Claims that go the long way behind one that had to: where groups and limits are in use, the other is asked in vain. */
const longWays = 10;

export interface WholeFirstOptions {
  /** Refuses what comes before the broker is open and after it was closed. */
  readonly guarded: <Answer>(call: () => Promise<Answer>) => Promise<Answer>;
  readonly subscribers: Pick<Subscribers, 'emit' | 'handOver'>;
  readonly tell?: (signals: readonly Signal[]) => void;
  readonly look: Look;
  /** Called behind every step that has stored something. */
  readonly foldSome: () => Promise<void>;
}

/** The broker that tries its calls as whole steps first, where its database has any. */
export function wholeFirst(broker: Broker, steps: WholeSteps | undefined, options: WholeFirstOptions): Broker {
  if (steps === undefined) return broker;
  const { guarded, subscribers, tell, foldSome, look } = options;
  const { standing } = steps;
  const done = <Answer>(step: () => Promise<Whole<Answer> | null>): Promise<Whole<Answer> | null> =>
    guarded(async () => {
      const whole = await step();
      if (whole === null) return null;
      whole.signals.forEach(subscribers.emit);
      tell?.(whole.untold);
      await foldSome();
      return whole;
    });
  let longWaysLeft = 0;

  async function claimLong(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    const claimed = await broker.claim(request);
    // What one statement would not take is special, and so, most likely, is what comes behind it.
    longWaysLeft = longWaysLeft === 0 && claimed.length > 0 ? longWays : Math.max(0, longWaysLeft - 1);
    return claimed;
  }

  async function settleLong(settlements: readonly Settlement[], claimNext?: ClaimRequest): Promise<SettleAnswer> {
    const answer = await broker.settle(settlements, claimNext);
    if (claimNext === undefined) return answer;
    standing?.left(claimNext);
    if (answer.claimed.length === 0) await guarded(async () => standing?.look(claimNext));
    return answer;
  }

  return {
    ...broker,
    async enqueue(tasks) {
      // A worker of this process takes it in the same step.
      if (subscribers.handOver() !== null) return await broker.enqueue(tasks);
      return (await done(() => steps.enqueue(tasks)))?.answer ?? (await broker.enqueue(tasks));
    },
    async claim(request) {
      const whole = longWaysLeft > 0 ? null : await done(() => steps.claim(request));
      return whole?.answer ?? (await claimLong(request));
    },
    async settle(settlements, claimNext) {
      const isLong = claimNext !== undefined && longWaysLeft > 0;
      const whole = isLong ? null : await done(() => steps.settle(settlements, claimNext));
      if (isLong) longWaysLeft -= 1;
      if (whole === null) return await settleLong(settlements, claimNext);
      const { results, claimed } = whole.answer;
      if (claimNext !== undefined) standing?.left(claimNext);
      if (claimNext === undefined || claimed.length > 0 || !(await guarded(() => look(claimNext)))) return whole.answer;
      return { results, claimed: await claimLong(claimNext) };
    },
  };
}
