/** Checks how errors are shown to people. */

import { expect, test } from 'vitest';
import { taskFlowError } from '../core/errors.ts';
import { showError } from './problem.ts';
import type { Terminal } from './terminal.ts';

const person: Terminal = { isPerson: true, width: 80, unicode: true, depth: 'none' };

function shown(problem: string): string {
  let text = '';
  showError({ write: (more: string) => (text += more) }, person, 'table', taskFlowError('USAGE', { problem }), false);
  return text;
}

test('the mark under a mistake stays below it', () => {
  expect(shown('no comma\n> 6 |   a:\tb  }\n    |          ^')).toBe(
    '✗ no comma\n  > 6 |   a: b  }\n      |          ^\n',
  );
});

test('what a hostile file says moves no cursor', () => {
  expect(shown('one\u001b[2Jtwo \u202e three\r')).toBe('✗ one [2Jtwo  three\n');
});
