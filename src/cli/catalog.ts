/** Every noun with its verbs in one line, so that help needs no command's code. */

import type { CommandFile } from './command.ts';

export interface Noun {
  readonly name: string;
  readonly group: 'Getting started' | 'Processes' | 'Tasks' | 'Other';
  readonly summary: string;
  /** What stands behind the noun in the overview: verbs or arguments. */
  readonly usage: string;
  /** Whether it stands alone: `taskflow up`, not `taskflow up start`. */
  readonly alone: boolean;
  load(): Promise<CommandFile>;
}

export const nouns: readonly Noun[] = [
  { name: 'config', group: 'Other', usage: 'list|get|validate', alone: false, summary: 'Settings, and where each came from', load: () => import('./commands/config.ts') },
  { name: 'version', group: 'Other', usage: '', alone: true, summary: 'Versions of TaskFlow and Node', load: () => import('./commands/version.ts') },
];

/** The noun of a word; plurals are accepted silently. */
export function findNoun(word: string): Noun | undefined {
  return nouns.find((noun) => noun.name === word || `${noun.name}s` === word);
}

/** Verbs that mean one of ours, beside a command's own aliases. */
export const verbAliases: Readonly<Record<string, readonly string[]>> = { list: ['ls'], get: ['show'], run: ['new', 'add'] };
