/** Checks the table of errors: its words, its page, and that every code is used. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ErrorCode, errorTable } from './error-table.ts';
import { TaskFlowError, taskFlowError, withoutStacks } from './errors.ts';

const codes = Object.keys(errorTable) as ErrorCode[];

test('docs/reference/errors.md lists every code of the table', async () => {
  const rows = codes.map((code) => {
    const { status, exitCode, retryable, message, hint } = { hint: '', ...errorTable[code] };
    const cell = (text: string): string =>
      text
        .replaceAll('|', '\\|')
        .replaceAll('\n', ' ')
        .replace(/\{(\w+)\}/g, '*$1*');
    return `| \`${code}\` | ${status} | ${exitCode} | ${retryable ? 'yes' : ''} | ${cell(message)} | ${cell(hint)} |`;
  });
  const page = [
    '# Errors',
    '',
    'Every error a user can meet, the same in an exception (`TaskFlowError`), an API answer, `--json` and on a page. A code never',
    'changes its meaning. *Again* says whether the same call may succeed later without a change. Made from `src/core/error-table.ts`.',
    '',
    '| code | HTTP | exit | again | what happened | what to do |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  await expect(page).toMatchFileSnapshot('../../docs/reference/errors.md');
});

test('every code is thrown somewhere', () => {
  const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('.test.') && !path.endsWith(join('core', 'errors.ts')))
    .map((path) => readFileSync(join('src', path), 'utf8'))
    .join('\n');
  expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([]);
});

test('an error fills its words and is the same document everywhere', () => {
  const error = taskFlowError('KEY_CONFLICT', { key: 'welcome:1', holder: '01K8' }, { details: { of: '01K8' } });
  expect(error).toBeInstanceOf(TaskFlowError);
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    code: 'KEY_CONFLICT',
    message: 'The key "welcome:1" is held by task 01K8.',
    hint: "Use ifExists: 'return' to get that task instead; where your key does not reach its queue, take another key.",
    details: { of: '01K8' },
  });
});

test('a hint and a cause may replace and accompany the words', () => {
  const cause = new Error('ENOSPC');
  const error = taskFlowError('STORE_FULL', { file: 'a.db' }, { cause, hint: 'Empty {file} of old logs.' });
  expect([error.hint, error.cause, error.retryable]).toEqual(['Empty a.db of old logs.', cause, true]);
});

test('errors are made without their stacks where nobody looks for them, and with them again afterwards', () => {
  const bare = withoutStacks(() => taskFlowError('STORE_CLOSED'));
  expect(bare.stack).not.toContain('errors.test');
  expect(() =>
    withoutStacks(() => {
      throw new RangeError('bad');
    }),
  ).toThrow('bad');
  expect(taskFlowError('STORE_CLOSED').stack).toContain('errors.test');
});
