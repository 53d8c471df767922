/** Tests what the event log tells of ends: each once, or that it cannot tell. */

import { beforeEach, expect, test } from 'vitest';
import { newTask, sampleId } from '../../test/conformance/samples.ts';
import { createSqliteStore } from '../broker/connect.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../history/history.ts';
import { createManualClock, type ManualClock } from '../testing/manual-clock.ts';
import { createEndLog, type EndLog } from './end-log.ts';

let store: Store;
let clock: ManualClock;
let log: EndLog;

beforeEach(async () => {
  store = createSqliteStore({ file: ':memory:' });
  await store.broker.open();
  clock = createManualClock(0);
  log = createEndLog(store, clock);
  return () => store.close();
});

const cancel = (...numbers: readonly number[]) => store.broker.cancel({ taskIds: numbers.map(sampleId), reason: null });

test('it cannot tell at first, and then tells of each end once', async () => {
  await store.broker.enqueue([1, 2, 3].map((number) => newTask(sampleId(number))));
  await cancel(1);
  expect(await log.ended()).toBeNull();
  expect(await log.ended()).toEqual([]);
  await cancel(2, 3);
  expect([...((await log.ended()) ?? [])].sort()).toEqual([2, 3].map(sampleId).sort());
  expect(await log.ended()).toEqual([]);
});

test('a store that is away, and one that is another by then, cannot tell what happened meanwhile', async () => {
  await log.ended();
  const { events } = store.history;
  Object.assign(store.history, { events: () => Promise.reject(new Error('away')) });
  expect(await log.ended()).toBeNull();
  Object.assign(store.history, { events });
  expect(await log.ended()).toBeNull();
  expect(await log.ended()).toEqual([]);
  const { info } = store.broker;
  Object.assign(store.broker, { info: async () => ({ ...(await info()), incarnation: 'another' }) });
  await clock.moveTo(limits.liveCheckMs);
  expect(await log.ended()).toBeNull();
  expect(await log.ended()).toEqual([]);
});

test('a log that has more than is worth reading is given up, and read on from its end', async () => {
  await log.ended();
  const many = limits.liveReadMax * limits.resultLogReadsMax;
  for (let number = 0; number < many; number++) await store.broker.enqueue([newTask(sampleId(number))]);
  expect(await log.ended()).toBeNull();
  await cancel(5);
  expect(await log.ended()).toEqual([sampleId(5)]);
});
