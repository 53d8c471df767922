/** Tests topics as people type them, and cursors as clients send them back. */
import { expect, test } from 'vitest';
import { formatCursor, parseCursor, parseTopic } from './live.ts';

const id = '01K8Q2M4ZJF0C9YF4V7Z0B2HNX';

test('topics are read, and named alike however they were written', () => {
  expect(['counts', 'worker', 'all'].map((text) => parseTopic(text).text)).toEqual(['counts', 'worker', 'all']);
  expect(parseTopic('queue:email')).toEqual({ kind: 'queue', text: 'queue:email', name: 'email' });
  expect(parseTopic('queue:a:b')).toMatchObject({ name: 'a:b' });
  expect(parseTopic(`task:${id.toLowerCase()}`)).toEqual({ kind: 'task', text: `task:${id}`, taskId: id });
});

test.each([
  ['', 'it is none of'],
  ['count', 'Did you mean counts?'],
  ['all:x', 'it is none of'],
  ['queue', 'it is none of'],
  ['queue:', 'it is empty'],
  ['task:x', 'has 1 characters'],
  ['constructor', 'it is none of'],
])('a topic that is none is refused: %j', (text, problem) => {
  expect(() => parseTopic(text)).toThrow(problem);
});

test('a cursor comes back as it went', () => {
  for (const cursor of [
    { incarnation: 'a1-b_2', seen: 7, gathered: 7 },
    { incarnation: 'a1', seen: 9, gathered: 0 },
  ])
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
});

test.each([
  '',
  'x',
  'x.',
  '.1',
  'x.-1',
  'x.1-',
  'x.1-2-3',
  'x.1e3',
  'x.9999999999999999',
  `${'x'.repeat(65)}.1`,
  'a b.1',
])('what no server wrote is no cursor: %j', (text) => {
  expect(parseCursor(text)).toBeNull();
});

test('what was gathered is never ahead of what was seen', () => {
  expect(parseCursor('x.3-9')).toEqual({ incarnation: 'x', seen: 3, gathered: 3 });
});
