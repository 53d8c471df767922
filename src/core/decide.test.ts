/** Tests the verdict on every ending of a run and every overdue reason, and what holds for all of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededChance } from './chance.ts';
import { decide, type Ending, type JudgedTask } from './decide.ts';
import { limits } from './limits.ts';
import { encodePolicy, parsePolicy, policyOf } from './policy.ts';
import { isFinished, isLegal, taskStates } from './states.ts';
import { type Outcome, overdueReasons, type TaskError, type Verdict } from './task.ts';

const error: TaskError = { name: 'Error', message: 'no', stack: null, fingerprint: '0123456789ab' };
const day = 86_400_000;
const half = { float: () => 0.5 };

const running: JudgedTask = {
  name: 't',
  state: 'running',
  policy: encodePolicy(policyOf({ retry: { attempts: 3, jitter: 'none' } })),
  attempt: 1,
  crashes: 0,
  interruptions: 0,
  snoozes: 0,
  startedAt: 1000,
  timeoutMs: 30_000,
  dependsOn: [],
};
const last: Partial<JudgedTask> = { attempt: 3 };

const outcomes = {
  done: { kind: 'done', result: '{"ok":true}' },
  error: { kind: 'error', error, retryAfterMs: null, retryable: true },
  'error with retryAfter': { kind: 'error', error, retryAfterMs: 7000, retryable: true },
  'error not retryable': { kind: 'error', error, retryAfterMs: null, retryable: false },
  giveUp: { kind: 'giveUp', error },
  timedOut: { kind: 'timedOut', error, byLife: false },
  'timedOut by life': { kind: 'timedOut', error, byLife: true },
  snooze: { kind: 'snooze', delayMs: 600_000 },
  aborted: { kind: 'aborted' },
  released: { kind: 'released' },
  crashed: { kind: 'crashed', error },
  undecodable: { kind: 'undecodable', error },
  unknownTask: { kind: 'unknownTask' },
} as const satisfies Record<string, Outcome>;

/** The verdict in one line: `failed error attempt keep 30d`, `scheduled error attempt +1000`. */
function told(verdict: Verdict): string {
  const end = 'keepMs' in verdict ? `keep ${verdict.keepMs / day}d` : `+${verdict.delayMs}`;
  return [verdict.to, verdict.reason ?? '-', verdict.charge, end].join(' ');
}

function judged(ending: Ending, change: Partial<JudgedTask> = {}): Verdict {
  return decide({ ...running, ...change }, ending, half);
}

describe('a run that ended', () => {
  test.each<[keyof typeof outcomes, Partial<JudgedTask>, number | null, string]>([
    ['done', {}, 5, 'succeeded - attempt keep 3d'],
    ['done', last, 5, 'succeeded - attempt keep 3d'],
    ['error', {}, 5, 'scheduled error attempt +1000'],
    ['error', { attempt: 2 }, 5, 'scheduled error attempt +2000'],
    ['error', last, 5, 'failed error attempt keep 30d'],
    ['error', { attempt: 9 }, 5, 'failed error attempt keep 30d'],
    ['error with retryAfter', {}, 5, 'scheduled error attempt +7000'],
    ['error with retryAfter', last, 5, 'failed error attempt keep 30d'],
    ['error not retryable', {}, 5, 'failed error attempt keep 30d'],
    ['giveUp', {}, 5, 'failed error attempt keep 30d'],
    ['giveUp', last, 5, 'failed error attempt keep 30d'],
    ['timedOut', {}, 5, 'scheduled timeout attempt +1000'],
    ['timedOut', last, 5, 'failed timeout attempt keep 30d'],
    ['timedOut by life', {}, 5, 'cancelled expired attempt keep 30d'],
    ['snooze', {}, 5, 'scheduled snooze snooze +600000'],
    ['snooze', last, 5, 'scheduled snooze snooze +600000'],
    ['snooze', { snoozes: limits.snoozesMax }, 5, 'failed error attempt keep 30d'],
    ['aborted', {}, 5, 'cancelled user attempt keep 30d'],
    ['released', {}, null, 'queued released nothing +0'],
    ['released', {}, 5, 'queued released interruption +0'],
    ['released', last, 5, 'queued released interruption +0'],
    ['released', { interruptions: limits.interruptionsMax }, null, 'queued released nothing +0'],
    ['released', { interruptions: limits.interruptionsMax }, 5, 'queued released attempt +0'],
    ['released', { ...last, interruptions: limits.interruptionsMax }, 5, 'failed error attempt keep 30d'],
    ['crashed', {}, 5, 'queued crashed crash +0'],
    ['crashed', { crashes: 1 }, 5, 'queued crashed crash +0'],
    ['crashed', { crashes: 2 }, 5, 'failed crash_loop crash keep 30d'],
    ['crashed', last, 5, 'queued crashed crash +0'],
    ['undecodable', {}, null, 'scheduled error attempt +1000'],
    ['undecodable', last, null, 'failed error attempt keep 30d'],
    ['unknownTask', {}, null, 'scheduled unknown_task nothing +30000'],
    ['unknownTask', last, null, 'scheduled unknown_task nothing +30000'],
  ])('%s of %j after %j ms goes to: %s', (name, change, ranMs, expected) => {
    expect(told(judged({ outcome: outcomes[name], ranMs }, change))).toBe(expected);
  });

  test('keeps the result of a success and the error of a failure', () => {
    expect(judged({ outcome: outcomes.done, ranMs: 1 })).toMatchObject({ result: '{"ok":true}', error: null });
    for (const name of ['error', 'giveUp', 'timedOut', 'crashed', 'undecodable'] as const) {
      expect(judged({ outcome: outcomes[name], ranMs: 1 })).toMatchObject({ error });
    }
  });

  test.each([
    [Number.NaN, 0],
    [-5, 0],
    [Number.POSITIVE_INFINITY, limits.durationMaxMs],
    [1.4, 1],
  ])('bounds a snooze of %d ms', (delayMs, expected) => {
    expect(judged({ outcome: { kind: 'snooze', delayMs }, ranMs: 1 })).toMatchObject({ delayMs: expected });
  });

  test('keeps each end as long as the policy says', () => {
    const policy = encodePolicy(policyOf({ keep: { succeeded: '1d', failed: '2d' } }));
    expect(told(judged({ outcome: outcomes.done, ranMs: 1 }, { policy }))).toBe('succeeded - attempt keep 1d');
    expect(told(judged({ outcome: outcomes.giveUp, ranMs: 1 }, { policy }))).toBe('failed error attempt keep 2d');
    expect(told(judged({ outcome: outcomes.aborted, ranMs: 1 }, { policy }))).toBe('cancelled user attempt keep 2d');
  });
});

describe('an overdue task', () => {
  const on = (...all: ('fail' | 'cancel' | 'ignore')[]) => all.map((onFailure) => ({ taskId: 'p', onFailure }));

  test.each<[(typeof overdueReasons)[number], Partial<JudgedTask>, string]>([
    ['cancel_requested', {}, 'cancelled user attempt keep 30d'],
    ['expired', {}, 'cancelled expired attempt keep 30d'],
    ['expired', { state: 'queued' }, 'cancelled expired nothing keep 30d'],
    ['expired', { state: 'blocked' }, 'cancelled expired nothing keep 30d'],
    ['start_deadline', { state: 'scheduled' }, 'cancelled expired nothing keep 30d'],
    ['timeout', {}, 'scheduled timeout attempt +1000'],
    ['timeout', last, 'failed timeout attempt keep 30d'],
    ['lease_expired', {}, 'queued lease_lost crash +0'],
    ['lease_expired', last, 'queued lease_lost crash +0'],
    ['lease_expired', { crashes: 2 }, 'failed crash_loop crash keep 30d'],
    ['lease_expired', { startedAt: null }, 'queued lease_lost interruption +0'],
    ['lease_expired', { startedAt: null, crashes: 2 }, 'queued lease_lost interruption +0'],
    ['lease_expired', { startedAt: null, interruptions: 1, crashes: 2 }, 'queued lease_lost interruption +0'],
    ['lease_expired', { startedAt: null, interruptions: limits.interruptionsMax }, 'queued lease_lost attempt +0'],
    ['lease_expired', { interruptions: 1, crashes: 2 }, 'failed crash_loop crash keep 30d'],
    ['dependency_failed', { state: 'blocked', dependsOn: on('ignore', 'fail') }, 'failed dependency nothing keep 30d'],
    [
      'dependency_failed',
      { state: 'blocked', dependsOn: on('cancel', 'ignore') },
      'cancelled dependency nothing keep 30d',
    ],
    ['dependency_failed', { state: 'blocked', dependsOn: on('ignore') }, 'queued - nothing +0'],
  ])('%s of %j goes to: %s', (reason, change, expected) => {
    expect(told(judged({ overdue: reason }, change))).toBe(expected);
  });

  test.each<[Partial<JudgedTask>, string]>([
    [{ crashes: 2 }, 'queued lease_lost interruption +0'],
    [{ crashes: 2, interruptions: limits.interruptionsMax }, 'queued lease_lost attempt +0'],
    [{ ...last, interruptions: limits.interruptionsMax }, 'failed error attempt keep 30d'],
  ])('is not blamed for the end of its worker when it had a process of its own: %j goes to %s', (change, expected) => {
    expect(told(judged({ overdue: 'lease_expired', wasIsolated: true }, change))).toBe(expected);
  });

  test('is judged by the parents that failed, not by the others it has', () => {
    const dependsOn = on('fail', 'cancel', 'ignore');
    const failedParents = [{ taskId: 'p', onFailure: 'cancel', name: 'video.probe', state: 'failed' }] as const;
    const verdict = judged({ overdue: 'dependency_failed', failedParents }, { state: 'blocked', dependsOn });
    expect(verdict).toMatchObject({ to: 'cancelled', reason: 'dependency' });
  });

  test('names the parent that failed', () => {
    const failed = { taskId: 'p', onFailure: 'fail', name: 'video.probe', state: 'cancelled' } as const;
    const verdict = judged({ overdue: 'dependency_failed', failedParents: [failed] }, { state: 'blocked' });
    expect(verdict).toMatchObject({
      error: { name: 'DependencyError', message: 'It depends on video.probe p, which was cancelled.' },
    });
  });

  test('says in its error what was overrun', () => {
    expect(judged({ overdue: 'timeout' })).toMatchObject({
      error: { name: 'TimeoutError', message: expect.stringContaining('30 s') },
    });
    expect(judged({ overdue: 'timeout' }, { timeoutMs: null })).toMatchObject({
      error: { message: expect.stringContaining('its timeout') },
    });
  });
});

describe('every verdict', () => {
  const endings: fc.Arbitrary<Ending> = fc.oneof(
    fc.record({ outcome: fc.constantFrom<Outcome>(...Object.values(outcomes)), ranMs: fc.option(fc.nat()) }),
    fc.record({ overdue: fc.constantFrom(...overdueReasons) }),
  );
  const tasks: fc.Arbitrary<JudgedTask> = fc.record({
    name: fc.string(),
    state: fc.constantFrom('blocked' as const, 'scheduled' as const, 'queued' as const, 'running' as const),
    policy: fc.oneof(
      fc
        .record({
          attempts: fc.integer({ min: 1, max: 6 }),
          delayMs: fc.nat(),
          jitter: fc.constantFrom('equal', 'none', 'full'),
        })
        .map((policy) => JSON.stringify(policy)),
      fc.string(),
    ),
    attempt: fc.nat({ max: 8 }),
    crashes: fc.nat({ max: 4 }),
    interruptions: fc.nat({ max: 30 }),
    snoozes: fc.nat({ max: 1200 }),
    startedAt: fc.option(fc.nat()),
    timeoutMs: fc.option(fc.nat()),
    dependsOn: fc.array(
      fc.record({
        taskId: fc.string(),
        onFailure: fc.constantFrom('fail' as const, 'cancel' as const, 'ignore' as const),
      }),
      { maxLength: 3 },
    ),
  });
  const seeds = fc.integer().map(seededChance);

  test('exists, is legal, and is bounded', () => {
    fc.assert(
      fc.property(tasks, endings, seeds, (task, ending, chance) => {
        const state = 'outcome' in ending ? 'running' : task.state;
        const verdict = decide(task, ending, chance);
        expect(taskStates).toContain(verdict.to);
        if (state === 'running') expect(isLegal('settle', state, verdict.to)).toBe(true);
        const ms = 'keepMs' in verdict ? verdict.keepMs : verdict.delayMs;
        expect(Number.isSafeInteger(ms) && ms >= 0 && ms <= limits.durationMaxMs).toBe(true);
        expect(isFinished(verdict.to)).toBe('keepMs' in verdict);
      }),
      { numRuns: 2000 },
    );
  });

  test('never asks for another charged run beyond the attempts of the policy', () => {
    fc.assert(
      fc.property(tasks, endings, seeds, (task, ending, chance) => {
        const verdict = decide(task, ending, chance);
        const again = !isFinished(verdict.to) && verdict.charge === 'attempt';
        if (again) expect(task.attempt).toBeLessThan(parsePolicy(task.policy).attempts);
      }),
      { numRuns: 2000 },
    );
  });

  test('ends every task that only ever fails, within its attempts', () => {
    fc.assert(
      fc.property(
        tasks,
        fc.array(fc.constantFrom<Outcome>(outcomes.error, outcomes.timedOut, outcomes.crashed), {
          minLength: 20,
          maxLength: 20,
        }),
        seeds,
        (task, all, chance) => {
          let { attempt, crashes } = { attempt: 0, crashes: 0 };
          for (const outcome of all) {
            attempt++;
            const verdict = decide({ ...task, attempt, crashes }, { outcome, ranMs: 1 }, chance);
            if (isFinished(verdict.to)) return;
            if (verdict.charge === 'crash') crashes++;
            if (verdict.charge !== 'attempt') attempt--;
          }
          expect.unreachable('a task failed twenty times and was never given up');
        },
      ),
    );
  });
});
