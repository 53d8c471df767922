/** Checks what a worker does with a claim that found nothing and stands: under which token it goes on, and what it is handed. */

import { expect, test } from 'vitest';
import { createSettlerRig, endedAttempt } from '../../test/support/settler-rig.ts';
import type { Broker, ClaimRequest } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ClaimedTask } from '../core/task.ts';
import { createPools } from './pools.ts';
import type { SettlerOptions } from './settler.ts';

interface Taken {
  readonly claimed: readonly ClaimedTask[];
  readonly firstSentAt: number;
  readonly sentAt: number;
}

/** A settler whose claims are answered with what `answers` has, else with nothing. */
function settlerOn(given: Partial<Broker> = {}, heard: Partial<SettlerOptions> = {}) {
  const asked: ClaimRequest[] = [];
  const taken: Taken[] = [];
  const answers: (readonly ClaimedTask[] | Promise<readonly ClaimedTask[]>)[] = [];
  const broker: Partial<Broker> = {
    keepsClaims: true,
    claim: async (request) => {
      asked.push(request);
      return answers.shift() ?? [];
    },
    ...given,
  };
  const { settler, clock } = createSettlerRig(broker, {
    onClaimed: (claimed, firstSentAt, sentAt) => {
      if (claimed.length > 0) taken.push({ claimed, firstSentAt, sentAt });
    },
    ...heard,
  });
  return { settler, clock, asked, taken, answers };
}

const one = [{ task: { id: 'T1' } }] as unknown as readonly ClaimedTask[];

test('a claim that found nothing is sent again under its token, and the next one after it was handed something is new', async () => {
  const { settler, asked, taken } = settlerOn();
  await settler.tick();
  await settler.tick();
  settler.handed({ token: asked[0]!.token, claimed: one });
  await settler.tick();
  expect(asked.map(({ standMs }) => standMs)).toEqual([limits.standMs, limits.standMs, limits.standMs]);
  expect(asked[1]!.token).toBe(asked[0]!.token);
  expect(asked[2]!.token).not.toBe(asked[0]!.token);
  expect(taken).toHaveLength(1);
});

test('its lease counts from when it was last sent, its time from when it was handed', async () => {
  const { settler, clock, asked, taken } = settlerOn();
  await clock.advance(100);
  await settler.tick();
  await clock.advance(1_000);
  settler.handed({ token: asked[0]!.token, claimed: one });
  expect(taken).toEqual([{ claimed: one, firstSentAt: 100, sentAt: 1_100 }]);
});

test('what was handed and not heard of comes with the next answer, with a lease from the time before', async () => {
  const { settler, clock, asked, answers, taken } = settlerOn();
  await settler.tick();
  await clock.advance(1_000);
  answers.push(one);
  await settler.tick();
  settler.handed({ token: asked[0]!.token, claimed: one });
  expect(taken).toEqual([{ claimed: one, firstSentAt: 0, sentAt: 1_000 }]);
});

test.each([
  ['nothing', []],
  ['the same', one],
])('what is handed before an answer of %s is taken once', async (_what, answer) => {
  const { settler, asked, answers, taken } = settlerOn();
  const { promise, resolve } = Promise.withResolvers<readonly ClaimedTask[]>();
  await settler.tick();
  answers.push(promise);
  const ticking = settler.tick();
  settler.handed({ token: asked[1]!.token, claimed: one });
  expect(taken).toEqual([]);
  resolve(answer);
  await ticking;
  expect(taken).toHaveLength(1);
  await settler.tick();
  expect(asked[2]!.token).not.toBe(asked[1]!.token);
});

test('who closes takes its claim back, and is done once that is answered', async () => {
  const { settler, asked, answers, taken } = settlerOn();
  await settler.tick();
  expect(settler.pending).toBe(0);
  settler.close();
  expect(settler.pending).toBe(1);
  answers.push(one);
  await settler.tick();
  expect(asked[1]).toMatchObject({ token: asked[0]!.token, queues: [], limit: 0 });
  expect(settler.pending).toBe(0);
  expect(taken).toHaveLength(1);
  await settler.tick();
  expect(asked).toHaveLength(2);
});

test('who has no slot free any more takes its claim back, and has what it was given meanwhile', async () => {
  const pools = createPools(['default'], 10);
  const { settler, asked, answers, taken } = settlerOn({}, { pools });
  await settler.tick();
  pools.of('default').slots = 0;
  answers.push(one);
  await settler.tick();
  expect(asked[1]).toMatchObject({ token: asked[0]!.token, queues: [], limit: 0 });
  expect(taken).toHaveLength(1);
  await settler.tick();
  expect(asked).toHaveLength(2);
});

test('a claim that a refused settlement had with it leaves the one that stands as it was', async () => {
  const { settler, clock, asked, taken } = settlerOn({
    settle: async () => {
      throw taskFlowError('NOT_SUPPORTED', { what: 'this' });
    },
  });
  await settler.tick();
  await clock.advance(1_000);
  settler.add(endedAttempt());
  settler.add(endedAttempt());
  await settler.tick();
  settler.handed({ token: asked[0]!.token, claimed: one });
  expect(taken).toEqual([{ claimed: one, firstSentAt: 0, sentAt: 1_000 }]);
});

test('a claim whose answer was lost is sent again, also when a settlement was refused with it meanwhile', async () => {
  const refused: (ClaimRequest | undefined)[] = [];
  const { settler, asked, taken, answers } = settlerOn({
    settle: async (_settlements, next) => {
      refused.push(next);
      throw taskFlowError('NOT_SUPPORTED', { what: 'this' });
    },
  });
  answers.push(Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'cut off' })));
  await expect(settler.tick()).rejects.toThrow('cut off');
  settler.add(endedAttempt());
  settler.add(endedAttempt());
  await settler.tick();
  settler.close();
  answers.push(one);
  while (settler.pending > 0) await settler.tick().catch(() => undefined);
  expect(refused[0]?.token).toBe(asked[0]!.token);
  expect(asked[1]?.token).toBe(asked[0]!.token);
  expect(taken).toHaveLength(1);
});

test('what was handed for another claim is none of its business', async () => {
  const { settler, taken } = settlerOn();
  await settler.tick();
  settler.handed({ token: 'other', claimed: one });
  expect(taken).toEqual([]);
});

test.each([
  ['the store keeps none', { keepsClaims: false }, {}],
  ['leases are short', {}, { leaseMs: limits.standMs }],
])('no claim stands when %s', async (_when, broker, options) => {
  const { settler, asked } = settlerOn(broker, options);
  await settler.tick();
  await settler.tick();
  expect(asked[0]!.standMs).toBeUndefined();
  expect(asked[1]!.token).not.toBe(asked[0]!.token);
});
