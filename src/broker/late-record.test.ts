// Opened with its live store, or by whoever asks for it once it is there.

import { expect, test } from 'vitest';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { createLateRecord } from './late-record.ts';
import type { SqlDriver } from './sql/driver.ts';
import { isOutage } from './sqlite/errors.ts';

const locked = taskFlowError('STORE_LOCKED', { file: 'record.db', problem: 'locked' });

/** A record whose database fails with this until it is `null`; notes what is done with it. */
function rig(problem: TaskFlowError | null) {
  const done: string[] = [];
  const there = { problem };
  const driver = { wallMs: async () => done.push('asked') } as unknown as SqlDriver;
  const record = createLateRecord({
    driver,
    open: async () => {
      done.push('open');
      if (there.problem !== null) throw there.problem;
    },
    close: () => void done.push('close'),
    isOutage,
  });
  return { record, done, there };
}

test('one that is there is opened once, and asked without a detour', async () => {
  const { record, done } = rig(null);
  await record.open();
  await record.driver.wallMs();
  await record.driver.wallMs();
  expect([record.away(), done]).toEqual([null, ['open', 'asked', 'asked']]);
});

test('after an outage it is opened by who asks for it, once for all who do', async () => {
  const { record, done, there } = rig(locked);
  await record.open();
  expect(record.away()).toBe(locked);
  await expect(record.driver.wallMs()).rejects.toBe(locked);
  there.problem = null;
  await Promise.all([record.driver.wallMs(), record.driver.wallMs()]);
  await record.driver.wallMs();
  expect(done).toEqual(['open', 'open', 'open', 'asked', 'asked', 'asked']);
});

test('a mistake is told at once, and later to whoever asks', async () => {
  const mistake = taskFlowError('STORE_TOO_NEW', { found: '0099', known: '0013' });
  await expect(rig(mistake).record.open()).rejects.toBe(mistake);
  const { record, there } = rig(locked);
  await record.open();
  there.problem = mistake;
  await expect(record.driver.wallMs()).rejects.toBe(mistake);
});

test('closed while it is being opened, it is closed once it is open, and opened no more', async () => {
  const { record, done, there } = rig(locked);
  await record.open();
  there.problem = null;
  const asked = record.driver.wallMs();
  await record.close();
  await asked;
  expect(done.slice(0, 3)).toEqual(['open', 'open', 'close']);
  await expect(record.open()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
