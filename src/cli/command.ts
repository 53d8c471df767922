/** What a command is: words, options and a function; commander is only told about it. */

import type { Config } from '../config/load.ts';
import type { SettingKey } from '../config/settings.ts';
import type { Output } from './output.ts';
import type { Environment, Sink } from './terminal.ts';

/** The process a command runs in; tests bring their own. */
export interface Surroundings {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Everything on standard input, as text. */
  readStdin(): Promise<string>;
  readonly env: Environment;
  readonly cwd: string;
}

/** One run of a command: what was typed, and what it may use. */
export interface Call extends Surroundings {
  readonly args: readonly string[];
  readonly output: Output;
  readonly verbose: boolean;
  /** The value of an option; `undefined` when it was not given. */
  text(option: string): string | undefined;
  /** All values of an option that may be given several times or with commas. */
  list(option: string): readonly string[];
  /** Whether a switch was given. */
  has(option: string): boolean;
  /** The example of every command, by `noun.verb`. */
  examples(): Promise<Readonly<Record<string, string>>>;
  /** Reads the configuration, once. */
  config(): Promise<Config>;
}

export interface OptionSpec {
  /** As commander reads it: `--since <time>`. */
  readonly flags: string;
  readonly description: string;
  /** Other spellings that are not shown. */
  readonly aliases?: readonly string[];
}

export interface CommandSpec {
  /** `list`, or the noun itself when it stands alone (`up`). */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line in the imperative, without a full stop. */
  readonly summary: string;
  readonly arguments?: readonly { readonly syntax: string; readonly description: string }[];
  readonly options?: readonly OptionSpec[];
  /** Works on this machine or at the store itself: `--server` is refused. */
  readonly isLocal?: true;
  /** Settings it takes as flags, beside the global ones. */
  readonly settings?: readonly SettingKey[];
  /** A line to copy. */
  readonly example: string;
  /** Returns the exit code. Errors are thrown. */
  run(call: Call): Promise<number>;
}

/** What a file in commands/ exports. */
export interface CommandFile {
  readonly commands: readonly CommandSpec[];
}
