/** Schedules in the test kit: they fire as the clock moves, in a zone and across its changes. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { task } from '../client/define.ts';
import { testKit } from './test-kit.ts';

const inputs: { kind: string; day: string }[] = [];
const buildReport = task('report.build', {
  input: z.object({ kind: z.enum(['daily', 'weekly']), day: z.iso.date() }),
  queue: 'reports',
  retry: { attempts: 3, delay: '1h', jitter: 'none' },
  async run(input, ctx) {
    inputs.push(input);
    if (input.day === '2026-02-01' && ctx.attempt < 3) throw new Error('warehouse away');
    return { rows: 3 };
  },
});
const reports = {
  buildReport,
  nightly: buildReport.schedule('report.nightly', {
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    input: ({ at }) => ({ kind: 'daily', day: at.toISOString().slice(0, 10) }),
    overlap: 'skip',
    catchUp: 'latest',
  }),
};
const often = buildReport.schedule('report.often', {
  every: '1h',
  input: { kind: 'weekly', day: '2026-02-01' },
});

test('the nightly report fires at 02:30 Berlin, also when the clocks are put back', async () => {
  await using tf = await testKit({ tasks: [reports], schedules: reports, now: '2026-10-24T00:00Z' });
  inputs.length = 0;
  await tf.clock.advance('2d');
  expect(tf.runs(buildReport)).toMatchObject([{ state: 'succeeded' }, { state: 'succeeded' }]);
  expect(inputs).toEqual([
    { kind: 'daily', day: '2026-10-24' },
    { kind: 'daily', day: '2026-10-25' },
  ]);
});

test('a night without 02:30 has its report at 03:00', async () => {
  await using tf = await testKit({ tasks: [reports], schedules: reports, now: '2026-03-28T12:00Z' });
  await tf.clock.set(new Date('2026-03-29T00:59:59Z'));
  expect(tf.runs(buildReport)).toEqual([]);
  await tf.clock.advance('1s');
  expect(tf.runs(buildReport)).toHaveLength(1);
});

test('without schedules nothing fires', async () => {
  await using tf = await testKit({ tasks: [reports], now: '2026-10-24T00:00Z' });
  await tf.clock.advance('2d');
  expect(tf.runs(buildReport)).toEqual([]);
});

test('while a run is retried the times of its schedule are skipped', async () => {
  await using tf = await testKit({ tasks: buildReport, schedules: often, now: '2026-02-01T00:30Z' });
  await tf.clock.advance('160m');
  expect(tf.runs(buildReport)).toMatchObject([{ attempts: 3, state: 'succeeded' }]);
  expect(tf.enqueued(buildReport)).toEqual([{ kind: 'weekly', day: '2026-02-01' }]);
});

test('a schedule that waits for its clock does not keep it from moving', async () => {
  const slow = task('slow', {
    input: z.object({}),
    timeout: '30s',
    retry: 1,
    run: (_, ctx) =>
      new Promise<void>((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  });
  await using tf = await testKit({ tasks: slow, schedules: slow.schedule('slowly', { every: '1m', input: {} }) });
  await tf.clock.advance('3m');
  await tf.clock.advance('40s');
  await tf.drain();
  expect(tf.runs(slow).length).toBeGreaterThanOrEqual(2);
  expect(tf.runs(slow)[0]).toMatchObject({ state: 'failed' });
});

test('a schedule whose input is only found wrong by waiting is told when the kit is made', async () => {
  const checked = task('checked', { input: z.object({ n: z.int() }).refine(async ({ n }) => n > 3), run: () => {} });
  const wrong = checked.schedule('wrong', { every: '1m', input: { n: 1 } });
  await expect(testKit({ tasks: checked, schedules: wrong })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(/^Schedule wrong: /),
  });
  await using _after = await testKit({ tasks: checked });
});
