/** Tests that what looks at many things is not told as one look. */

import { expect, test } from 'vitest';
import { operations } from '../operations/registry.ts';
import { costOf, takesTurns } from './costs.ts';

test('what is about many tasks costs more than a look at one, and keeps nobody from their turn', () => {
  const many = Object.keys(operations).filter((name) => name.endsWith('-many') || name === 'queue.peek');
  expect(many).toContain('task.result-many');
  expect(many.filter((name) => costOf(name) < 10)).toEqual([]);
  expect(many.filter((name) => name !== 'task.enqueue-many' && !takesTurns(name))).toEqual([]);
  expect(costOf('task.get')).toBe(1);
});
