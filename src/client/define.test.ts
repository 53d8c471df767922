/** Checks that definitions are normalised, and that everything wrong is refused where it is written. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { definitionBrand, definitionOf } from '../core/definition.ts';
import { parsePolicy } from '../core/policy.ts';
import { contract, task } from './define.ts';

const input = z.object({ userId: z.string(), at: z.coerce.date().optional(), tags: z.array(z.string()).default([]) });
const run = async (): Promise<void> => {};

test('a task carries its normalised definition', () => {
  const ref = task('email.welcome', {
    input,
    queue: 'email',
    retry: { attempts: 3, delay: '2s' },
    timeout: '30s',
    key: 'welcome:{userId}',
    keyFor: '30d',
    cancel: 'strict',
    run,
  });
  expect(ref.name).toBe('email.welcome');
  expect(ref[definitionBrand]).toMatchObject({
    name: 'email.welcome',
    queue: 'email',
    timeoutMs: 30_000,
    key: 'welcome:{userId}',
    keyForMs: 30 * 86_400_000,
    ifExists: 'return',
    strictCancel: true,
    retryOn: null,
  });
  expect(parsePolicy(ref[definitionBrand].policy)).toMatchObject({ attempts: 3, delayMs: 2_000, strictCancel: true });
  expect(definitionOf(ref)).toBe(ref[definitionBrand]);
});

test('a task that says nothing runs an hour at most, in the queue default', () => {
  expect(definitionOf(task('plain', { input, run }))).toMatchObject({
    queue: 'default',
    timeoutMs: 3_600_000,
    policy: '{}',
    key: null,
    description: null,
  });
});

test('the JSON Schema shows what goes in, and its version follows it', () => {
  const one = definitionOf(task('a', { input, run }));
  expect(one?.inputSchema).toMatchObject({
    type: 'object',
    required: ['userId'],
    properties: { userId: { type: 'string' } },
  });
  expect(one?.schemaVersion).toBe(definitionOf(task('b', { input, run }))?.schemaVersion);
  expect(one?.schemaVersion).not.toBe(
    definitionOf(task('a', { input: input.extend({ n: z.int() }), run }))?.schemaVersion,
  );
});

test('any Standard Schema works, with or without a JSON Schema', async () => {
  const bare = {
    '~standard': {
      version: 1 as const,
      vendor: 'own',
      validate: (value: unknown) =>
        value === 'good'
          ? { value: 'GOOD' }
          : { issues: [{ message: 'must be good', path: ['list', 0, { key: 'name' }] }] },
    },
  };
  const definition = definitionOf(task('own', { input: bare, run }));
  expect(definition?.inputSchema).toBe(null);
  expect(definition?.schemaVersion).toBe(null);
  expect(await definition?.parseInput('good')).toBe('GOOD');
  expect(() => definition?.parseInput('bad')).toThrow(
    expect.objectContaining({
      code: 'INVALID_INPUT',
      details: { problems: [{ path: 'list[0].name', message: 'must be good' }] },
    }),
  );
});

test('a contract has no handler until it is implemented', async () => {
  const resize = contract('image.resize', {
    input: z.object({ width: z.int() }),
    output: z.object({ bytes: z.int() }),
  });
  expect(definitionOf(resize)?.run).toBe(null);
  const implemented = definitionOf(resize.implement(async ({ width }) => ({ bytes: width * 2 })));
  expect(await implemented?.run?.({ width: 4 }, {} as never)).toEqual({ bytes: 8 });
  expect(() => implemented?.parseOutput({ bytes: 'x' })).toThrow(expect.objectContaining({ code: 'INVALID_OUTPUT' }));
  expect(definitionOf(resize)?.run).toBe(null);
});

test('a contract that asks for a process is told by its implementation from which file', () => {
  const options = { input: z.object({}), output: z.null(), isolate: 'process' as const };
  const render = contract('video.render', options);
  expect(definitionOf(render.implement(() => null, { file: import.meta.url }))?.file).toBe(import.meta.url);
  expect(definitionOf(render.implement(() => null))?.file).toBe(null);
  const misspelt = { fiel: import.meta.url } as object;
  expect(() => render.implement(() => null, misspelt)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  const relative = { file: 'render.ts' };
  expect(() => render.implement(() => null, relative)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
});

/** Each is wrong in one way; the error names it. */
const wrong: readonly (readonly [string, object, string, RegExp])[] = [
  ['an empty name', { name: '' }, 'INVALID_OPTION', /empty/],
  ['a name with a blank', { name: 'send mail' }, 'INVALID_OPTION', /" "/],
  ['a name that is too long', { name: 'x'.repeat(201) }, 'INVALID_OPTION', /201 characters/],
  ['no input schema', { input: undefined }, 'INVALID_OPTION', /Standard Schema/],
  ['an output that is no schema', { output: {} }, 'INVALID_OPTION', /output/],
  ['a bad duration', { timeout: '5 mins' }, 'INVALID_OPTION', /timeout/],
  ['a timeout of nothing', { timeout: 0 }, 'INVALID_OPTION', /timeout/],
  ['too many attempts', { retry: 1_001 }, 'INVALID_OPTION', /retry\.attempts/],
  [
    'a retry option that does not exist',
    { retry: { attempts: 3, dealy: '1s' } },
    'INVALID_OPTION',
    /Did you mean delay/,
  ],
  ['a retry rule that is no function', { retry: { attempts: 3, on: true } }, 'INVALID_OPTION', /retry\.on/],
  ['a template with an unknown field', { key: 'welcome:{userid}' }, 'INVALID_OPTION', /Did you mean userId/],
  ['a template of a list', { key: 'welcome:{tags}' }, 'INVALID_OPTION', /tags/],
  ['keyFor without a key', { keyFor: '1d' }, 'INVALID_OPTION', /there is no key/],
  ['keyFor with replace', { key: '{userId}', keyFor: '1d', ifExists: 'replace' }, 'INVALID_OPTION', /keyFor/],
  ['keyFor with debounce', { key: '{userId}', keyFor: '1d', ifExists: 'debounce' }, 'INVALID_OPTION', /keyFor/],
  ['an unknown word for ifExists', { key: '{userId}', ifExists: 'repalce' }, 'INVALID_OPTION', /Did you mean replace/],
  ['a misspelt option', { timout: '5m' }, 'INVALID_OPTION', /Did you mean timeout/],
  ['keep that is no object', { keep: '3d' }, 'INVALID_OPTION', /keep/],
  ['a limit that can never be met', { concurrency: 0 }, 'INVALID_OPTION', /concurrency is not valid: 0 .*no task/],
  ['a limit that is no number', { concurrency: { limit: '3' } }, 'INVALID_OPTION', /concurrency is not valid: "3"/],
  ['a misspelt part of a limit', { concurrency: { limt: 3 } }, 'INVALID_OPTION', /Did you mean limit/],
  [
    'a limit by an unknown field',
    { concurrency: { limit: 1, key: '{userid}' } },
    'INVALID_OPTION',
    /concurrency\.key.*Did you mean userId/,
  ],
  ['a rate without a period', { rateLimit: { limit: 1 } }, 'INVALID_OPTION', /rateLimit\.per/],
  ['a rate of nothing', { rateLimit: { limit: 0, per: '1s' } }, 'INVALID_OPTION', /rateLimit\.limit is not valid: 0/],
  ['a rate beyond a year', { rateLimit: { limit: 1, per: '400d' } }, 'INVALID_OPTION', /rateLimit\.per/],
  ['a rate finer than the clock', { rateLimit: { limit: 2_000, per: 1 } }, 'INVALID_OPTION', /rateLimit\.count/],
  ['a rate by a list', { rateLimit: { limit: 1, per: '1s', key: '{tags}' } }, 'INVALID_OPTION', /tags/],
  ['a group of a field the input has not', { group: '{user}' }, 'INVALID_OPTION', /group/],
  ['a group that is no text', { group: 5 }, 'INVALID_OPTION', /group/],
  ['an unknown isolation', { isolate: 'proces' }, 'INVALID_OPTION', /Did you mean process/],
  ['memory of the worker itself', { memoryMb: 100 }, 'INVALID_OPTION', /isolate is not 'process'/],
  ['memory that nothing runs in', { isolate: 'process', memoryMb: 8 }, 'INVALID_OPTION', /32 to/],
  ['a file that is relative', { file: './tasks.ts' }, 'INVALID_OPTION', /import\.meta\.url/],
  ['no handler', { run: undefined }, 'INVALID_OPTION', /run function/],
];

for (const [what, change, code, words] of wrong) {
  test(`${what} is refused`, () => {
    const { name = 'email.welcome', ...options } = { input, run, ...change } as Record<string, unknown>;
    const define = (): unknown => (task as (name: unknown, options: unknown) => unknown)(name, options);
    expect(define).toThrow(expect.objectContaining({ code, message: expect.stringMatching(words) }));
  });
}
