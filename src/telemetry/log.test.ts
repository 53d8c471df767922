/** Tests that the log is lines of JSON that nobody can forge, and that secrets do not get into it. */
import { expect, test } from 'vitest';
import { createLog, type LogLevel } from './log.ts';
import { scrub } from './scrub.ts';

function rig(level: LogLevel = 'debug') {
  const lines: string[] = [];
  const log = createLog({ level, pid: 7, now: () => Date.UTC(2026, 10, 23), write: (line) => void lines.push(line) });
  return { log, lines, documents: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a line has its level, its time, its process, its fields and its words', () => {
  const { log, documents } = rig();
  const fields = { route: '/api/v1/tasks/:id', status: 200, ms: 1.5, actor: null };
  log.info('answered', fields);
  const at = { level: 'info', time: '2026-11-23T00:00:00.000Z', pid: 7 };
  expect(documents()).toEqual([{ ...at, ...fields, msg: 'answered' }]);
});

test('what is less important than the level is left out', () => {
  const { log, documents } = rig('warn');
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
  expect(documents().map(({ msg }) => msg)).toEqual(['warn', 'error']);
});

/** By their numbers: this file must not hold them. */
const controls = [0, 7, 10, 13, 27, 0x7f, 0x9b, 0x61c, 0x200b, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069, 0xfeff];
const hostile = [
  ...controls.map((code) => `a${String.fromCharCode(code)}b`),
  'a\r\n{"level":"error","msg":"forged"}',
  `${String.fromCharCode(27)}]52;c;aGk=${String.fromCharCode(7)}`,
  '"}\n{"',
];

test.each(hostile)('%j makes one line of printable characters', (text) => {
  const { log, lines, documents } = rig();
  log.warn(text, { actor: text });
  expect(lines).toHaveLength(1);
  const shown = lines[0]?.slice(0, -1) ?? '';
  expect(controls.filter((code) => shown.includes(String.fromCharCode(code)))).toEqual([]);
  expect(documents()).toEqual([expect.objectContaining({ msg: text, actor: text, level: 'warn' })]);
});

test('a message is cut at its limit', () => {
  const { log, lines } = rig();
  log.info('x'.repeat(1_000_000));
  expect(lines[0]?.length).toBeLessThan(10_000);
});

test.each([
  ['cannot reach postgres://ada:hunter2@db:5432/x?ssl=1', 'cannot reach postgres://***@db:5432/x?ssl=1'],
  ['redis://:hunter2@h:6379', 'redis://***@h:6379'],
  ['redis://ada:hunter2@hunter3@h:6379/0', 'redis://***@h:6379/0'],
  ['sent Bearer hunter2', 'sent Bearer ***'],
  ['the key tf_user_01K8Q2M4ZJ_hunter2 is wrong', 'the key tf_*** is wrong'],
  ['/x?password=hunter2&a=1', '/x?password=***&a=1'],
  ['cookie: hunter2; path=/', 'cookie: ***; path=/'],
  ['a text about tokens and https://example.com/a@b', 'a text about tokens and https://example.com/a@b'],
])('%j is written without its secret', (text, wanted) => {
  expect(scrub(text)).toBe(wanted);
  const { log, documents } = rig();
  log.error(text, { problem: text });
  expect(documents()).toEqual([expect.objectContaining({ msg: wanted, problem: wanted })]);
});
