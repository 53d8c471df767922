/** Checks what `fatal` and `snooze` make, and that nothing else is taken for them. */
import { expect, test } from 'vitest';
import { fatal, isFatal, isSnooze, snooze } from './verdicts.ts';

test('fatal keeps the words and the cause', () => {
  const cause = new Error('410 Gone');
  const error = fatal('the user is gone', { cause });
  expect(error).toMatchObject({ name: 'Fatal', message: 'the user is gone', cause });
  expect(isFatal(error)).toBe(true);
  expect(isSnooze(error)).toBe(false);
});

test('snooze reads a duration into milliseconds', () => {
  const thrown = snooze('10m');
  expect(isSnooze(thrown) && thrown.delayMs).toBe(600_000);
  expect(isFatal(thrown)).toBe(false);
});

test('snooze refuses what is not a duration', () => {
  expect(() => snooze('10 mins' as '10m')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
});

test('ordinary errors and other values are neither', () => {
  for (const thrown of [new Error('x'), null, undefined, 'fatal', { delayMs: 5 }]) {
    expect(isFatal(thrown) || isSnooze(thrown)).toBe(false);
  }
});
