/** What is known of a command line before its command is loaded: the noun, and the options of every command. */

import type { SettingKey } from '../config/settings.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';
import { findNoun, type Noun, nouns } from './catalog.ts';
import type { CommandSpec, OptionSpec } from './command.ts';
import { outputFormats } from './output.ts';

/** Options every command takes. */
export const globalOptions: readonly OptionSpec[] = [
  { flags: '-o, --output <format>', description: `How to print: ${outputFormats.join(', ')} (default: table)` },
  { flags: '--json', description: 'The same as -o json' },
  { flags: '--fields <list>', description: 'Only these fields: id,name,error.message' },
  { flags: '--broker <url>', description: 'Where tasks live (default: sqlite:./.taskflow/taskflow.db)' },
  { flags: '--store <url>', description: 'Where finished tasks are recorded (default: the broker)' },
  { flags: '--namespace <name>', description: 'One of several systems in one store (default: taskflow)' },
  {
    flags: '--server <url>',
    description: 'Ask this server, not the store; also TASKFLOW_SERVER. Its key: TASKFLOW_TOKEN',
  },
  { flags: '--token-file <path>', description: 'Read the key of the server from this file' },
  { flags: '--config <file>', description: 'Config file (default: taskflow.config.* found upward)' },
  { flags: '--cwd <folder>', description: 'Work in this folder' },
  { flags: '--color <when>', description: 'auto, always or never (default: auto)' },
  { flags: '-q, --quiet', description: 'No hints and no progress' },
  { flags: '-v, --verbose', description: 'Show the stack of an error' },
  { flags: '-h, --help', description: 'Show help' },
];

/** The first word that is no option nor the value of a global one: the noun. */
export function nounOf(argv: readonly string[]): string | undefined {
  const takesValue = new Set(
    globalOptions
      .filter(({ flags }) => flags.includes('<'))
      .flatMap(({ flags }) => flags.split(/[ ,]+/).filter((part) => part.startsWith('-'))),
  );
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (!word.startsWith('-')) return word;
    if (takesValue.has(word)) index += 1;
  }
  return undefined;
}

/** Throws USAGE for a noun nobody knows. */
export function knownNoun(word: string): Noun {
  const noun = findNoun(word);
  if (noun !== undefined) return noun;
  const near = didYouMean(
    word,
    nouns.map(({ name }) => name),
  );
  throw taskFlowError('USAGE', { problem: `There is no command "${word}".${near}` }, { hint: 'taskflow --help' });
}

/** The USAGE for a line without a noun that has an option nobody knows, else `null`. */
export function unknownOption(argv: readonly string[]): TaskFlowError | null {
  const known = [...globalOptions.flatMap(({ flags }) => flags.split(/[ ,]+/)), '--version', '-V'].filter((part) =>
    part.startsWith('-'),
  );
  const isKnown = (word: string): boolean =>
    known.some((flag) => word === flag || word.startsWith(flag.startsWith('--') ? `${flag}=` : flag));
  const word = argv.find((one) => one.startsWith('-') && !isKnown(one))?.split('=', 1)[0];
  if (word === undefined) return null;
  return taskFlowError(
    'USAGE',
    { problem: `There is no option ${word}.${didYouMean(word, known)}` },
    { hint: 'taskflow --help' },
  );
}

/** Settings among the global options. */
const globalSettings: readonly SettingKey[] = ['broker', 'store', 'namespace', 'color'];

/** The settings a command takes as flags. */
export function settingsOf(spec: CommandSpec): readonly SettingKey[] {
  return [...globalSettings, ...(spec.settings ?? [])];
}

/** `--log-level` → `logLevel`: commander's name for the value of a flag. */
export function optionName(flag: string): string {
  return flag.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
