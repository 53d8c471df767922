/** What `concurrency` and `rateLimit` become in an enqueued task. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { definitionOf } from '../core/definition.ts';
import { task } from './define.ts';
import { newTask } from './enqueue.ts';

const input = z.object({ userId: z.string(), plan: z.enum(['free', 'team']).default('free') });
const run = (): void => {};
const id = '01K8Q2M4ZJE008000000000001';

/** The rules of a task whose input is `{ userId: 'ada', plan: 'free' }`. */
function rulesOf(defined: unknown, parsed: unknown = { userId: 'ada', plan: 'free' }) {
  return newTask(definitionOf(defined)!, { payload: '{}', parsed }, {}, id).limits;
}

const rate = { count: 10, perMs: 60_000 };

test('a task without them has no limits', () => {
  expect(rulesOf(task('mail', { input, run }))).toEqual([]);
});

test('a number is a limit of the task name', () => {
  expect(rulesOf(task('mail', { input, run, concurrency: 3 }))).toEqual([{ name: 'mail', max: 3, rate: null }]);
  expect(rulesOf(task('mail', { input, run, concurrency: { limit: 3 } }))).toEqual([
    { name: 'mail', max: 3, rate: null },
  ]);
});

test('a key makes one limit for each of its values', () => {
  const mail = task('mail', { input, run, concurrency: { limit: 1, key: 'user:{userId}' } });
  expect(rulesOf(mail)).toEqual([{ name: 'mail:user:ada', max: 1, rate: null }]);
  expect(rulesOf(mail, { userId: 'bob' })).toEqual([{ name: 'mail:user:bob', max: 1, rate: null }]);
});

test('slots and rate of the same key are one limit, of different keys two', () => {
  const rateLimit = { limit: 10, per: '1m' } as const;
  expect(rulesOf(task('mail', { input, run, concurrency: 3, rateLimit }))).toEqual([{ name: 'mail', max: 3, rate }]);
  const keyed = { ...rateLimit, key: '{userId}' } as const;
  expect(rulesOf(task('mail', { input, run, concurrency: { limit: 3, key: '{userId}' }, rateLimit: keyed }))).toEqual([
    { name: 'mail:ada', max: 3, rate },
  ]);
  expect(rulesOf(task('mail', { input, run, concurrency: 3, rateLimit: keyed }))).toEqual([
    { name: 'mail', max: 3, rate: null },
    { name: 'mail:ada', max: null, rate },
  ]);
});

test('different keys that render alike are one limit', () => {
  const mail = task('mail', {
    input,
    run,
    concurrency: { limit: 3, key: '{userId}' },
    rateLimit: { limit: 10, per: '1m', key: '{plan}' },
  });
  expect(rulesOf(mail, { userId: 'free', plan: 'free' })).toEqual([{ name: 'mail:free', max: 3, rate }]);
});

test('an input without the field, and a name that is too long, are refused', () => {
  const mail = task('mail', { input, run, rateLimit: { limit: 10, per: '1m', key: '{userId}' } });
  expect(() => rulesOf(mail, {})).toThrow(/rateLimit\.key.*no field userId/);
  expect(() => rulesOf(mail, { userId: 'x'.repeat(499) })).toThrow(/name of the limit.*504 characters/);
});

/** What an enqueue with these options makes. */
function enqueued(
  options: object,
  defined: unknown = task('mail', { input, run, group: 'of:{plan}', concurrency: 3 }),
) {
  return newTask(definitionOf(defined)!, { payload: '{}', parsed: { userId: 'ada', plan: 'free' } }, options, id);
}

test('a group is rendered from the input, or given with the enqueue', () => {
  expect(enqueued({}).group).toBe('of:free');
  expect(enqueued({ group: 'team:7' }).group).toBe('team:7');
  expect(enqueued({}, task('mail', { input, run })).group).toBeNull();
});

test('limits of an enqueue are added to those of the definition, and take the place of one with the same name', () => {
  const smtp = { name: 'smtp', max: 2, rate: { limit: 10, per: '1m' } };
  expect(enqueued({ limits: [smtp] }).limits).toEqual([
    { name: 'mail', max: 3, rate: null },
    { name: 'smtp', max: 2, rate },
  ]);
  expect(enqueued({ limits: [{ name: 'mail', max: 1 }] }).limits).toEqual([{ name: 'mail', max: 1, rate: null }]);
});

test.each<[what: string, options: object, path: RegExp]>([
  ['four limits', { limits: ['a', 'b', 'c'].map((name) => ({ name, max: 1 })) }, /there are 4, at most 3/],
  ['no list', { limits: { name: 'a' } }, /a list such as/],
  ['a max of 0', { limits: [{ name: 'a', max: 0 }] }, /limits\[0\]\.max/],
  ['a rate without a time', { limits: [{ name: 'a', rate: { limit: 1 } }] }, /limits\[0\]\.rate\.per/],
  ['a limit without a name', { limits: [{ max: 1 }] }, /limits\[0\]\.name/],
  ['an unknown field', { limits: [{ name: 'a', maximum: 1 }] }, /maximum/],
  ['the name of a queue limit', { limits: [{ name: '\u0001q', max: 1 }] }, /control character/],
  ['an empty group', { group: '' }, /group/],
])('%s is refused with the path', (_what, options, path) => {
  expect(() => enqueued(options)).toThrow(path);
});
