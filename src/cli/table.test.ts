/** Checks how rows are laid out for people and for programs. */

import { expect, test } from 'vitest';
import { type Column, tableLines } from './table.ts';
import { cut, detectTerminal, paint, type Terminal, widthOf } from './terminal.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}

const columns: readonly Column<Row>[] = [
  { title: 'Name', text: (row) => row.name, cutTo: 4 },
  { title: 'Count', align: 'right', text: (row) => String(row.count), raw: (row) => `raw ${row.count}` },
];
const person = (width = 80): Terminal => ({ isPerson: true, width, unicode: true, depth: 'none' });
const program: Terminal = { isPerson: false, width: 20, unicode: true, depth: 'none' };

test('a person gets a header and aligned columns', () => {
  const rows = [
    { name: 'email', count: 7 },
    { name: 'x', count: 1234 },
  ];
  expect(tableLines(person(), columns, rows)).toEqual(['NAME   COUNT', 'email      7', 'x       1234']);
});

test('a program gets whole values between tabs and no header', () => {
  expect(tableLines(program, columns, [{ name: 'a very long name that fits nowhere', count: 7 }])).toEqual([
    'a very long name that fits nowhere\traw 7',
  ]);
});

test('spare columns are left out of a narrow terminal, the last one first', () => {
  const wide: readonly Column<Row>[] = [
    { title: 'Name', text: (row) => row.name },
    { title: 'First', text: () => '1', isSpare: true },
    { title: 'Count', text: (row) => String(row.count) },
    { title: 'Second', text: () => '2', isSpare: true },
  ];
  const header = (width: number) => tableLines(person(width), wide, [{ name: 'email', count: 7 }])[0];
  expect([header(40), header(20), header(14), header(4)]).toEqual([
    'NAME   FIRST  COUNT  SECOND',
    'NAME   FIRST  COUNT',
    'NAME   COUNT',
    'NAME   COUNT',
  ]);
});

test('nobody gets a header without rows', () => {
  expect([tableLines(person(), columns, []), tableLines(program, columns, [])]).toEqual([[], []]);
});

test('what may be cut is cut to the width', () => {
  expect(tableLines(person(16), columns, [{ name: 'a very long name', count: 7 }])).toEqual([
    'NAME       COUNT',
    'a very l…      7',
  ]);
});

test('no control character of a value gets out', () => {
  const rows = [{ name: 'a\tb\u001b[31m\nc\u009b', count: 1 }];
  expect(tableLines(program, columns, rows)).toEqual(['a b [31m c\traw 1']);
  expect(tableLines(person(), columns, rows)[1]).toBe('a b [31m c      1');
});

test('wide and combining characters are counted as they are shown', () => {
  expect([widthOf('日本'), widthOf('e\u0301'), widthOf('👍')]).toEqual([4, 1, 2]);
  expect(cut(person(), '日本語の名前', 7)).toBe('日本語…');
});

test.each([
  [{}, true, 'indexed'],
  [{}, false, 'none'],
  [{ COLORTERM: 'truecolor' }, true, 'full'],
  [{ NO_COLOR: '1' }, true, 'none'],
  [{ NO_COLOR: '' }, true, 'indexed'],
  [{ TERM: 'dumb' }, true, 'none'],
  [{ FORCE_COLOR: '1' }, false, 'indexed'],
  [{ FORCE_COLOR: '0' }, true, 'none'],
] as const)('with %j and a terminal: %s, colours are %s', (env, isTTY, depth) => {
  expect(detectTerminal({ isTTY, write: () => true }, env).depth).toBe(depth);
});

test('--color wins over every variable', () => {
  const sink = { isTTY: false, write: () => true };
  expect(detectTerminal(sink, { NO_COLOR: '1' }, 'always').depth).toBe('indexed');
  expect(detectTerminal({ ...sink, isTTY: true }, { FORCE_COLOR: '1' }, 'never').depth).toBe('none');
});

test('the locale decides about glyphs', () => {
  const sink = { isTTY: true, write: () => true };
  expect(detectTerminal(sink, { LANG: 'de_DE.UTF-8' }).unicode).toBe(true);
  expect(detectTerminal(sink, { LANG: 'en_US.UTF-8', LC_ALL: 'C' }).unicode).toBe(false);
});

test('a state is painted in its colour of the dashboard', () => {
  expect(paint({ ...person(), depth: 'full' }, 'failed', 'failed')).toBe('\u001b[38;2;226;72;79mfailed\u001b[39m');
  expect(paint(person(), 'failed', 'failed')).toBe('failed');
});
