/** What `task.schedule()` accepts, what it makes of it, and how it says what is wrong. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { type CodeSchedule, scheduleBrand } from '../core/code-schedule.ts';
import { definitionBrand } from '../core/definition.ts';
import { limits } from '../core/limits.ts';
import { contract, type Schedule, task } from './define.ts';
import { putSchedules } from './put-schedules.ts';

const input = z.object({ day: z.string(), copies: z.int().default(1) });
const report = task('report', { input, queue: 'reports', run: () => {} });
const keyed = task('keyed', { input, key: 'day:{day}', concurrency: { limit: 1, key: '{day}' }, run: () => {} });
let names = 0;

function made(options: object, of: { schedule: unknown } = report): CodeSchedule {
  const schedule = of.schedule as (name: string, options: object) => Schedule;
  return schedule(`s${++names}`, options)[scheduleBrand];
}

const minutely = { cron: '* * * * *', input: { day: 'x' } };

test('a schedule with a value stores its task whole', async () => {
  const definition = await made({
    every: '15m',
    jitter: '30s',
    input: { day: 'x' },
    priority: 'low',
    tags: ['t'],
  }).define();
  expect(definition).toMatchObject({
    timing: { everyMs: 900_000 },
    jitterMs: 30_000,
    overlap: 'skip',
    catchUp: { kind: 'none' },
    input: 'stored',
    task: { name: 'report', queue: 'reports', payload: '{"day":"x"}', priority: 8, tags: ['t'], limits: [], key: null },
  });
  expect(Object.keys(definition.task)).not.toContain('id');
});

test('templates are rendered from the value', async () => {
  const { task: template } = await made(minutely, keyed).define();
  expect(template).toMatchObject({ key: 'day:x', limits: [{ name: 'keyed:x', max: 1, rate: null }] });
});

test('overlap queue is a limit of one, named after the schedule', async () => {
  const schedule = made({ ...minutely, overlap: 'queue' });
  const { task: template } = await schedule.define();
  expect(template.limits).toEqual([{ name: `schedule:${schedule.name}`, max: 1, rate: null }]);
});

test.each([
  ['latest', { kind: 'latest' }],
  ['all', { kind: 'all', max: limits.catchUpDefault, withinMs: limits.catchUpWithinMs }],
  [
    { all: 3, within: '1h' },
    { kind: 'all', max: 3, withinMs: 3_600_000 },
  ],
])('catchUp %o', async (catchUp, expected) => {
  expect((await made({ ...minutely, overlap: 'allow', catchUp }).define()).catchUp).toEqual(expected);
});

test('a schedule of a contract is one of its implementation', () => {
  const shared = contract('shared', { input, output: z.null() });
  const implemented = shared.implement(() => null);
  const schedule = made({ every: '1m', input: () => ({ day: 'x' }) }, shared);
  expect(implemented[definitionBrand].schedules?.get(schedule.name)?.makeInput).toBe(schedule.makeInput);
});

test.each([
  [{ cron: '0 0 30 2 *', input: { day: 'x' } }, 'cron is not valid'],
  [{ ...minutely, every: '1m' }, 'every is not valid'],
  [{ ...minutely, timezone: 'Mars/Base' }, 'timezone is not valid'],
  [{ ...minutely, jitter: '5m' }, 'jitter is not valid'],
  [{ every: '1m' }, 'input is not valid: each run needs one'],
  [{ ...minutely, input: { day: 5 } }, 'The input of report is not valid'],
  [{ ...minutely, overlap: 'wait' }, 'overlap is not valid: "wait" is none of skip, allow, queue'],
  [{ ...minutely, overlap: 'alow' }, 'allow'],
  [{ ...minutely, catchUp: 'one' }, 'catchUp is not valid: "one" is none of none, latest, all'],
  [{ ...minutely, catchUp: 'all' }, "with overlap 'skip' only the first of all would run"],
  [{ ...minutely, overlap: 'allow', catchUp: { all: 0 } }, 'catchUp.all is not valid'],
  [{ ...minutely, priority: 'hihg' }, 'priority'],
  [{ ...minutely, startWithin: 'soon' }, 'startWithin is not valid'],
  [{ ...minutely, retry: 0 }, 'retry'],
  [{ ...minutely, crom: 1 }, 'there is no option "crom"'],
  [null, 'an object with cron or every'],
])('%o is refused, naming the schedule', (options, words) => {
  expect(() => made(options as object)).toThrow(words);
  expect(() => made(options as object)).toThrow(/^Schedule s\d+: /);
});

test('a function cannot make an input that a template needs before', () => {
  expect(() => made({ every: '1m', input: () => ({ day: 'x' }) }, keyed)).toThrow('keyed has the template "day:{day}"');
});

test('nor one that a template of a group needs', () => {
  const grouped = task('grouped', { input, group: '{day}', run: () => {} });
  expect(() => made({ every: '1m', input: () => ({ day: 'x' }) }, grouped)).toThrow('grouped has the template "{day}"');
});

test('one task has no two schedules of one name', () => {
  report.schedule('twice', { every: '1m', input: { day: 'x' } });
  expect(() => report.schedule('twice', { every: '2m', input: { day: 'x' } })).toThrow('has one of this name already');
});

test('storing them again changes nothing, and tells what is new and what is wrong', async () => {
  const broker = createMemoryBroker({ now: () => 1_000, chance: seededChance(1) });
  const late = task('late', { input: input.refine(async ({ day }) => day !== 'never'), run: () => {} });
  const [good, wrong] = [made(minutely), made({ every: '1m', input: { day: 'never' } }, late)];
  const first = await putSchedules(broker, [good, wrong]);
  expect(first).toMatchObject({ created: [good.name], changed: [], failures: [{ code: 'INVALID_INPUT' }] });
  expect(await putSchedules(broker, [good])).toEqual({ created: [], changed: [], failures: [] });
});

test('two schedules of one name are refused', async () => {
  const broker = createMemoryBroker({ now: () => 1_000, chance: seededChance(1) });
  const [one, other] = [report.schedule('same', minutely), keyed.schedule('same', minutely)];
  await expect(putSchedules(broker, [one[scheduleBrand], other[scheduleBrand]])).rejects.toMatchObject({
    code: 'DUPLICATE_SCHEDULE_NAME',
    message: 'Two schedules are named "same": of report and keyed.',
  });
});
