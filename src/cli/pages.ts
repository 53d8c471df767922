/** Options of lists that come in pages, and the word that there are more. */

import type { Call, OptionSpec } from './command.ts';

export const pageOptions: readonly OptionSpec[] = [
  { flags: '--limit <n>', description: 'At most so many' },
  { flags: '--after <cursor>', description: 'Those behind this one: what the page before said' },
];

/** The options that were given, as the fields of an operation's input. */
export function given(call: Call, ...options: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    options.flatMap((option) => {
      const text = call.text(option);
      return text === undefined
        ? []
        : [[option.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase()), text]];
    }),
  );
}

/** Says on stderr how to go on. */
export function noteMore(call: Call, next: string | null): void {
  if (next !== null) call.output.note(`There are more: --after ${next}`);
}
