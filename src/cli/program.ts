/** Tells commander about the commands of one noun, and puts its complaints into our words. */

import { Command, CommanderError, Option } from 'commander';
import { flagName, type SettingKey, settingOf } from '../config/settings.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Noun, verbAliases } from './catalog.ts';
import type { CommandSpec, OptionSpec } from './command.ts';
import { globalOptions } from './words.ts';

/** What was typed, taken apart. */
export interface Parsed {
  readonly spec: CommandSpec;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Either a command to run, or help to print. */
export type Parse =
  | { readonly kind: 'command'; readonly parsed: Parsed }
  | { readonly kind: 'help'; readonly text: string };

/** Reads the words of a command of `noun`. Throws USAGE, with the nearest known word. */
export function parseWords(noun: Noun, specs: readonly CommandSpec[], argv: readonly string[], width: number): Parse {
  let text = '';
  let parsed: Parsed | null = null;
  const root = configured(new Command('taskflow'), width, (written) => {
    text += written;
  });
  for (const option of globalOptions)
    if (!option.flags.startsWith('-h')) root.addOption(new Option(option.flags, option.description));
  const parent = noun.alone ? root : describe(root.command(noun.name).alias(`${noun.name}s`), noun);
  for (const spec of specs) {
    addCommand(parent, spec, noun).action((...values: unknown[]) => {
      const command = values.at(-1) as Command;
      parsed = { spec, args: command.args, options: command.optsWithGlobals() };
    });
  }
  try {
    root.parse(argv as string[], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0 || error.code === 'commander.help') return { kind: 'help', text };
    throw inOurWords(error, noun, specs, argv);
  }
  if (parsed === null) return { kind: 'help', text };
  return { kind: 'command', parsed };
}

function configured(command: Command, width: number, write: (text: string) => void): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureHelp({
      showGlobalOptions: false,
      sortSubcommands: false,
      helpWidth: Math.min(width, 120),
      subcommandTerm: (sub) =>
        [
          sub.name(),
          ...sub.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`)),
        ].join(' '),
    })
    .configureOutput({ writeOut: write, writeErr: write, outputError: () => undefined })
    .helpOption('-h, --help', 'Show help')
    .helpCommand(false);
}

function describe(command: Command, noun: Noun): Command {
  return command
    .helpCommand(false)
    .summary(noun.summary)
    .description(`${noun.summary}.`)
    .usage('<verb> [options]')
    .addHelpText('after', '\nHelp of one of them: add its verb. Options of every command: taskflow --help');
}

function addCommand(parent: Command, spec: CommandSpec, noun: Noun): Command {
  const command = parent.command(spec.name).summary(spec.summary).description(`${spec.summary}.`);
  for (const alias of [...(spec.aliases ?? []), ...(noun.alone ? [] : (verbAliases[spec.name] ?? []))])
    command.alias(alias);
  command.usage(`${(spec.arguments ?? []).map(({ syntax }) => `${syntax} `).join('')}[options]`);
  for (const { syntax, description } of spec.arguments ?? []) command.argument(syntax, description);
  for (const option of [...(spec.options ?? []), ...(spec.settings ?? []).map(settingOption)]) {
    command.addOption(repeatable(new Option(option.flags, option.description)));
    for (const alias of option.aliases ?? [])
      command.addOption(repeatable(new Option(alias, option.description).hideHelp()));
  }
  return command.addHelpText(
    'after',
    `\nExample:\n  ${spec.example}\n\nOptions of every command (--json, --fields, --broker, ...): taskflow --help`,
  );
}

/** A flag given twice adds up; those who want one value take the last. */
function repeatable(option: Option): Option {
  if (!option.required) return option;
  return option.argParser((value: string, before: unknown) => [...(Array.isArray(before) ? before : []), value]);
}

function settingOption(key: SettingKey): OptionSpec {
  const setting = settingOf(key);
  const fallback =
    setting.default === null
      ? setting.none
      : Array.isArray(setting.default)
        ? setting.default.join(',')
        : setting.default;
  return {
    flags: setting.flag ?? `--${key}`,
    description: `${setting.description} (default: ${fallback})`,
    aliases: setting.flagAliases ?? [],
  };
}

function inOurWords(
  error: CommanderError,
  noun: Noun,
  specs: readonly CommandSpec[],
  argv: readonly string[],
): TaskFlowError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const verb = specs.find(
    (spec) =>
      noun.alone ||
      argv.some((word) => word === spec.name || spec.aliases?.includes(word) || verbAliases[spec.name]?.includes(word)),
  );
  const help = `taskflow ${noun.name}${noun.alone || verb === undefined ? '' : ` ${verb.name}`} --help`;
  switch (error.code) {
    case 'commander.unknownCommand':
      return usage(
        `There is no "${noun.name} ${quoted}".${didYouMean(
          quoted,
          specs.map(({ name }) => name),
        )}`,
        help,
      );
    case 'commander.unknownOption':
      return usage(
        `There is no option ${quoted}.${didYouMean(flagName(quoted.split('=', 1)[0] ?? ''), knownFlags(verb))}`,
        help,
      );
    case 'commander.missingArgument':
      return usage(`The ${quoted} is missing.`, verb === undefined ? help : `Example: ${verb.example}`);
    case 'commander.optionMissingArgument':
      return usage(`The option ${quoted} needs a value.`, help);
    case 'commander.excessArguments':
      return usage('There are more words than this command takes.', `${help}   (JSON goes into single quotes)`);
    default:
      return usage(error.message.replace(/^error: /, ''), help);
  }
}

function knownFlags(verb: CommandSpec | undefined): string[] {
  const own = [...(verb?.options ?? []), ...(verb?.settings ?? []).map(settingOption), ...globalOptions];
  return own.flatMap(({ flags }) => flags.split(/[ ,]+/).filter((part) => part.startsWith('--')));
}

function usage(problem: string, hint: string): TaskFlowError {
  return taskFlowError('USAGE', { problem }, { hint });
}
