/** Tests which words are suggested, and which are too far away to be. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { didYouMean, nearest } from './nearest.ts';

const fields = ['state', 'name', 'queue', 'worker', 'tag', 'attempt'];

describe('nearest', () => {
  test.each([
    ['stat', 'state'],
    ['sate', 'state'],
    ['tsate', 'state'],
    ['STATE', 'state'],
    ['quuee', 'queue'],
    ['atempt', 'attempt'],
    ['wroker', 'worker'],
  ])('suggests for %s the word %s', (word, expected) => {
    expect(nearest(word, fields)).toBe(expected);
  });

  test.each(['', 'banana', 'xy', 'x'.repeat(65)])('suggests nothing for %j', (word) => {
    expect(nearest(word, fields)).toBeNull();
  });

  test('suggests the dotted name for a mistyped task', () => {
    expect(nearest('text.stat', ['text.stats', 'files.checksum'])).toBe('text.stats');
  });

  test('finds every word itself', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1 }), fc.nat(), (words, pick) => {
        const word = words[pick % words.length] ?? '';
        expect(nearest(word, words)?.toLowerCase()).toBe(word.toLowerCase());
      }),
    );
  });

  test('finds a word after one deletion when it has six characters or more', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{6,20}$/), fc.nat(), (word, pick) => {
        const position = pick % word.length;
        const typo = word.slice(0, position) + word.slice(position + 1);
        expect(nearest(typo, [word])).toBe(word);
      }),
    );
  });
});

describe('didYouMean', () => {
  test('reads as a sentence that can be appended', () => {
    expect(`Unknown field "stat".${didYouMean('stat', fields, ':')}`).toBe(
      'Unknown field "stat". Did you mean state:?',
    );
  });

  test('is empty when nothing is near', () => {
    expect(didYouMean('banana', fields)).toBe('');
  });
});
