/** Tests that a wait through a server ends with the word of the server, and no clock has to pass for it. */
import { expect, test } from 'vitest';
import { createManualClock } from '../../../test/support/manual-clock.ts';
import { seededChance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import type { ResultsMessage } from '../../core/worker-protocol.ts';
import type { Calls } from './calls.ts';
import { createWaits } from './waits.ts';

const id = '01K8Q2M4ZJF0C9YF4V7Z0B2HNX';
const ended = { id, name: 'mail', state: 'succeeded', reason: null, error: null, cancelReason: null } as const;
const answer: ResultsMessage = {
  results: [{ ...ended, result: { n: 1 }, hasResult: true, hidden: false }],
  missing: [],
  left: [],
};

function rig(get: Calls['get']) {
  const clock = createManualClock();
  const calls: Calls = { get, post: () => Promise.reject(new Error('not asked for')), close: () => undefined };
  return { clock, waits: createWaits({ server: 'http://127.0.0.1:1', calls, clock, chance: seededChance(1) }) };
}

test('the end is told as soon as the server answers the request that it holds', async () => {
  const { promise, resolve } = Promise.withResolvers<ResultsMessage>();
  const asked: unknown[] = [];
  const { clock, waits } = rig(<Answer>(...given: unknown[]) => {
    asked.push(given.slice(0, 2));
    return promise as Promise<Answer>;
  });
  const waiting = waits.finished(id, 60_000);
  await clock.advance(50);
  expect(asked).toEqual([['tasks/results', { ids: id, wait: '30000ms' }]]);
  resolve(answer);
  expect(await waiting).toMatchObject({ id, state: 'succeeded', result: '{"n":1}' });
});

test('a wait ends in its time whatever the server does, and with the worker', async () => {
  const { clock, waits } = rig(() => new Promise<never>(() => undefined));
  const late = waits.finished(id, 1_000).catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await late).toMatchObject({ code: 'RESULT_TIMEOUT' });
  const closed = waits.finished(id, 1_000).catch((error: unknown) => error);
  waits.close();
  expect(await closed).toMatchObject({ code: 'STORE_CLOSED' });
});

test('what the key is not for is told at once', async () => {
  const refusal = taskFlowError('SCOPE_MISSING', {
    operation: 'task.result-many',
    needed: 'read',
    actor: 'w',
    given: 'work',
  });
  const { clock, waits } = rig(() => Promise.reject(refusal));
  const waiting = waits.finished(id, 60_000).catch((error: unknown) => error);
  await clock.advance(50);
  expect(await waiting).toBe(refusal);
});
