/** Tests what each field of a filter means for a task. */
import { describe, expect, test } from 'vitest';
import { type FilterRow, matches, timeRange } from './filter-match.ts';
import { parseFilter } from './filter-parse.ts';

const now = Date.UTC(2026, 10, 23, 12);
const hour = 3_600_000;

const row: FilterRow = {
  id: '01K8PZX2M4EJ9C7YF4V7Z0B2HN',
  name: 'email.welcome',
  queue: 'email',
  state: 'failed',
  reason: 'error',
  attempt: 5,
  priority: 2,
  workerId: 'w-3',
  tags: ['onboarding', 'de'],
  key: 'welcome:42',
  flowId: '01K8PZX2M4EJ9C7YF4V7Z0B2HM',
  error: { message: 'SMTP 451 try again later', fingerprint: '7f3a9c01' },
  createdAt: now - 8 * hour,
  dueAt: now - 8 * hour,
  claimedAt: now - 7 * hour,
  startedAt: now - 6 * hour,
  finishedAt: now - 5 * hour,
  policy: '{}',
  payload: '{"user":{"plan":"pro","age":42,"ok":true,"none":null},"list":[{"sku":"a"}],"bytes":9007199254740993}',
  result: '{"bytes":1000001}',
};

function holds(text: string, change: Partial<FilterRow> = {}): boolean {
  return matches(parseFilter(text), { ...row, ...change }, now);
}

describe('matches', () => {
  test.each([
    '',
    'state:failed',
    'state:queued,failed',
    '-state:queued',
    'name:email.welcome',
    'name:email.*',
    'queue:email',
    'worker:w-3',
    'worker:*',
    'tag:onboarding',
    'tag:x,de',
    '-tag:test',
    'key:welcome:42',
    'key:welcome:*',
    'id:01k8pzx',
    'flow:01k8',
    'error:"smtp 451"',
    'error:AGAIN',
    'error:smtp*',
    'err:7f3a',
    'since:6h',
    'until:1h',
    'since:6h until:4h',
    'created:9h',
    'created:2026-11-23',
    'created:2026-11-20..2026-11-23',
    'created:<2026-11-24',
    'created:<=2026-11-23',
    'attempt:5',
    'attempt:>4',
    'attempt:1..5',
    'took:>59m',
    'took:1h..2h',
    'waited:>=1h',
    'priority:high',
    'priority:<5',
    'input.user.plan:pro',
    'input.user.plan:p*',
    'input.user.age:42',
    'input.user.age:>41',
    'input.user.ok:true',
    'input.user.none:null',
    'input.list.0.sku:a',
    'output.bytes:>1000000',
    'email.welcome',
    'email.*',
    '01k8pz',
    '"email.welcome"',
    '-nothing',
  ])('accepts %j', (text) => {
    expect(holds(text)).toBe(true);
  });

  test.each([
    'state:quarantined',
    'state:queued',
    '-state:failed',
    'name:email',
    'name:EMAIL.*',
    'queue:e',
    'worker:w',
    '-worker:*',
    'tag:on',
    '-tag:x,de',
    'error:none',
    'error:451*',
    'err:f3a',
    'since:4h',
    'until:6h',
    'created:7h',
    'created:2026-11-22',
    'created:>2026-11-23',
    'created:<2026-11-23',
    'attempt:>5',
    'attempt:<5',
    'took:>1h',
    'waited:>1h',
    'priority:low',
    'input.user:pro',
    'input.user.plan:PRO',
    'input.plan:pro',
    'input.user.age:>42',
    'input.user.plan:>1',
    'input.list:a',
    'input.list.length:1',
    'input.user.toString:x*',
    'output.none:*',
    'welcome',
    'email',
    '01k9',
  ])('rejects %j', (text) => {
    expect(holds(text)).toBe(false);
  });

  test('takes states and views', () => {
    expect(holds('state:quarantined', { reason: 'crash_loop' })).toBe(true);
    expect(holds('state:failed', { reason: 'crash_loop' })).toBe(true);
    expect(holds('state:retrying', { state: 'scheduled', attempt: 1 })).toBe(true);
    expect(holds('state:retrying', { state: 'scheduled', attempt: 0 })).toBe(false);
    expect(holds('state:scheduled', { state: 'scheduled', attempt: 1 })).toBe(true);
    expect(holds('state:expired', { state: 'cancelled', reason: 'expired' })).toBe(true);
  });

  test('treats what a task lacks as no match, and its negation as a match', () => {
    const bare = {
      workerId: null,
      key: null,
      flowId: null,
      error: null,
      result: null,
      tags: [],
      startedAt: null,
      finishedAt: null,
    };
    for (const text of ['worker:*', 'key:*', 'flow:0', 'error:*', 'err:7', 'output.bytes:*', 'tag:*', 'took:>=0s']) {
      expect(holds(text, bare)).toBe(false);
      expect(holds(`-${text}`, bare)).toBe(true);
    }
  });

  test('finds nothing in a text that is no JSON', () => {
    expect(holds('input.user.plan:pro', { payload: '{bad' })).toBe(false);
    expect(holds('-output.bytes:5', { result: '{bad' })).toBe(true);
  });

  test('counts the wait of a queued task up to now and of a running one up to its claim', () => {
    expect(holds('waited:>=8h', { state: 'queued', claimedAt: null, finishedAt: null })).toBe(true);
    expect(holds('waited:>1h', { state: 'running', finishedAt: null })).toBe(false);
    expect(holds('waited:<=0s', { state: 'scheduled', claimedAt: null, finishedAt: null, dueAt: now + hour })).toBe(
      true,
    );
    expect(holds('waited:>=0s', { state: 'cancelled', claimedAt: null })).toBe(false);
  });

  test('looks at creation while a task is unfinished', () => {
    expect(holds('since:6h', { state: 'queued', finishedAt: null })).toBe(false);
    expect(holds('since:8h', { state: 'queued', finishedAt: null })).toBe(true);
  });
});

describe('timeRange', () => {
  test('takes the last day of a range whole', () => {
    const value = parseFilter('created:2026-11-20..2026-11-22').terms[0]?.values[0];
    expect(value?.kind === 'times' && timeRange(value, now)).toEqual({
      from: Date.UTC(2026, 10, 20),
      to: Date.UTC(2026, 10, 23),
    });
  });
});
