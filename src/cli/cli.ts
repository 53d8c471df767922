/** Runs one command line from its words to its exit code. */

import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config, Flag } from '../config/load.ts';
import { flagName, settingOf } from '../config/settings.ts';
import { taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';
import type { Call, Surroundings } from './command.ts';
import { overview } from './help.ts';
import { createOutput, type OutputFormat, type OutputOptions, outputFormats } from './output.ts';
import { showError } from './problem.ts';
import type { Parsed } from './program.ts';
import { type ColorChoice, detectTerminal } from './terminal.ts';
import { knownNoun, nounOf, optionName, settingsOf, unknownOption } from './words.ts';

/** Runs `argv` (without node and script) and resolves to the exit code; every error is shown, none is thrown. */
export async function runCli(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, env } = surroundings;
  let format: OutputFormat = wantsJson(argv) ? 'json' : 'table';
  let color: ColorChoice = 'auto';
  try {
    const word = nounOf(argv);
    if (word === undefined || word === 'help') {
      if (argv.includes('--version') || argv.includes('-V'))
        return await runCli(['version', ...argv.filter((one) => one !== '--version' && one !== '-V')], surroundings);
      const unknown = unknownOption(argv);
      if (unknown !== null) throw unknown;
      const rest = argv.filter((one) => one !== 'help');
      if (nounOf(rest) !== undefined) return await runCli([...rest, '--help'], surroundings);
      stdout.write(overview(detectTerminal(stdout, env)));
      return 0;
    }
    // Keys belong to the server: `server token create` is what some look for.
    const at = argv.indexOf('server');
    if (word === 'server' && /^tokens?$/.test(argv[at + 1] ?? ''))
      return await runCli(argv.toSpliced(at, 1), surroundings);
    const noun = knownNoun(word);
    // Commander is loaded now and not above: the overview does without it.
    const [{ parseWords }, whom, { commands }] = await Promise.all([
      import('./program.ts'),
      import('./whom-to-ask.ts'),
      noun.load(),
    ]);
    const parse = parseWords(noun, commands, argv, detectTerminal(stdout, env).width);
    if (parse.kind === 'help') {
      stdout.write(parse.text);
      return 0;
    }
    const options = outputOptions(parse.parsed, env);
    ({ format, color } = options);
    const cwd = workingFolder(parse.parsed, surroundings.cwd);
    const { config } = parse.parsed.options;
    const sayings = whom.sayingsOf({ env, cwd }, typeof config === 'string' ? config : undefined);
    const parsed = whom.withServerOf(parse.parsed, sayings);
    whom.checkServer(noun, parsed);
    const call = callOf(parsed, { ...surroundings, cwd, env: whom.withKeyOf(env, sayings) }, options);
    if (parsed !== parse.parsed) await whom.tellLeftAlone(call);
    return await parsed.spec.run(call);
  } catch (error) {
    return showError(
      stderr,
      detectTerminal(stderr, env, color),
      format,
      error,
      argv.includes('-v') || argv.includes('--verbose'),
    );
  }
}

function callOf(parsed: Parsed, surroundings: Surroundings, options: OutputOptions): Call {
  const { stdout, stderr, env } = surroundings;
  const { cwd } = surroundings;
  const values = (name: string): readonly string[] => {
    const value = parsed.options[optionName(name)];
    return value === undefined || typeof value === 'boolean'
      ? []
      : Array.isArray(value)
        ? value.map(String)
        : [String(value)];
  };
  let config: Promise<Config> | null = null;
  return {
    ...surroundings,
    cwd,
    args: parsed.args,
    output: createOutput(stdout, stderr, env, options),
    verbose: parsed.options.verbose === true,
    text: (name) => values(name).at(-1),
    list: (name) =>
      values(name)
        .flatMap((value) => value.split(','))
        .map((value) => value.trim())
        .filter((value) => value !== ''),
    // Commander stores `--no-wait` as `wait: false`.
    has: (name) =>
      name.startsWith('no-')
        ? parsed.options[optionName(name.slice(3))] === false
        : parsed.options[optionName(name)] === true,
    examples: async () => (await import('./command-examples.ts')).commandExamples(),
    config() {
      config ??= import('../config/load.ts').then(({ loadConfig }) =>
        loadConfig({
          cwd,
          env,
          flags: flagsOf(parsed),
          ...(typeof parsed.options.config === 'string' ? { file: parsed.options.config } : {}),
        }),
      );
      return config;
    },
  };
}

/** The settings given as flags, with the spelling that was used. */
function flagsOf(parsed: Parsed): Flag[] {
  return settingsOf(parsed.spec).flatMap((key) => {
    const setting = settingOf(key);
    const names = [setting.flag, ...(setting.flagAliases ?? [])].filter((flag) => flag !== undefined).map(flagName);
    return names.flatMap((name) => {
      const value = parsed.options[optionName(name)];
      if (value === undefined) return [];
      const isList = key === 'worker.queues' || key === 'tasks';
      return [
        { key, name, value: Array.isArray(value) ? (isList ? value.join(',') : String(value.at(-1))) : String(value) },
      ];
    });
  });
}

function outputOptions({ options }: Parsed, env: Surroundings['env']): OutputOptions {
  const given = options.json === true ? 'json' : options.output === undefined ? 'table' : String(options.output);
  const format = outputFormats.find((one) => one === given);
  if (format === undefined) {
    throw taskFlowError(
      'USAGE',
      { problem: `"${given}" is not a way to print.${didYouMean(given, outputFormats)}` },
      { hint: `-o takes ${outputFormats.join(', ')}.` },
    );
  }
  const fields =
    typeof options.fields === 'string'
      ? options.fields
          .split(',')
          .map((field) => field.trim())
          .filter((field) => field !== '')
      : null;
  const color = String(options.color ?? env.TASKFLOW_COLOR ?? 'auto');
  return {
    format,
    fields: fields?.length === 0 ? null : fields,
    quiet: options.quiet === true,
    color: color === 'always' || color === 'never' ? color : 'auto',
  };
}

function workingFolder({ options }: Parsed, cwd: string): string {
  if (typeof options.cwd !== 'string') return cwd;
  const folder = resolve(cwd, options.cwd);
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  throw taskFlowError('USAGE', { problem: `The folder ${options.cwd} does not exist.` }, { hint: 'Check --cwd.' });
}

/** Errors before the options are read (an unknown command) keep to the wish all the same. */
function wantsJson(argv: readonly string[]): boolean {
  const value = (at: number): string => argv[at + 1] ?? '';
  return argv.some(
    (word, at) =>
      word === '--json' ||
      word === '-ojson' ||
      word === '--output=json' ||
      ((word === '-o' || word === '--output') && value(at).startsWith('json')),
  );
}
