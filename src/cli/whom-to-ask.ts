/** Whom a command asks: the server that is named for it, else the store of the configuration. */

import { resolve } from 'node:path';
import { projectFolder } from '../config/load.ts';
import { variablesOf } from '../config/settings.ts';
import { readDotenvFiles, type Variables } from '../config/variables.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Noun } from './catalog.ts';
import type { Call, Surroundings } from './command.ts';
import type { Parsed } from './program.ts';

/** The settings that say where a store is. */
const places = ['broker', 'store', 'namespace'] as const;

/** What the environment says, or one `.env` file of the project. */
export interface Saying {
  /** Of a file its name. */
  readonly file: string | null;
  /** What its relative paths are relative to. */
  readonly folder: string;
  readonly variables: Variables;
}

/** The environment, and behind it the `.env` files of the project in which a command is given: the first that speaks of something wins. */
export function sayingsOf({ env, cwd }: Pick<Surroundings, 'env' | 'cwd'>, config?: string): readonly Saying[] {
  const folder = projectFolder({ cwd, env, ...(config !== undefined && { file: config }) });
  return [
    { file: null, folder: cwd, variables: env },
    ...readDotenvFiles(folder).map(({ file, variables }) => ({ file, folder, variables })),
  ];
}

/**
 * With the server that is named first, where nothing on the command line says where the tasks are. Throws USAGE where a store is named
 * beside it, in the same place: neither variable outranks the other.
 */
export function withServerOf(parsed: Parsed, sayings: readonly Saying[]): Parsed {
  const { spec, options } = parsed;
  const isSaid = ['server', ...places, 'local'].some((name) => options[name] !== undefined);
  if (isSaid || spec.isLocal === true) return parsed;
  const beside = variableBesideServer(sayings);
  if (beside !== null)
    throw taskFlowError(
      'USAGE',
      { problem: `${beside} do not go together: a server has its own store.` },
      { hint: 'Unset one of them, or say which it is this time: --server <url> or --broker <url>.' },
    );
  const server = sayings.find(speaksOfPlaces)?.variables.TASKFLOW_SERVER?.trim();
  return server ? { ...parsed, options: { ...options, server } } : parsed;
}

/** "TASKFLOW_SERVER and TASKFLOW_BROKER" where both are named in the place that counts, which is told if it is a file; else `null`. */
export function variableBesideServer(sayings: readonly Saying[]): string | null {
  const saying = sayings.find(speaksOfPlaces);
  if (!saying?.variables.TASKFLOW_SERVER?.trim()) return null;
  const place = placeIn(saying);
  const where = saying.file === null ? '' : ` of ${saying.file}`;
  return place === undefined ? null : `TASKFLOW_SERVER and ${place}${where}`;
}

function speaksOfPlaces(saying: Saying): boolean {
  return Boolean(saying.variables.TASKFLOW_SERVER?.trim()) || placeIn(saying) !== undefined;
}

function placeIn({ variables }: Saying): string | undefined {
  return places.flatMap(variablesOf).find((name) => variables[name]?.trim());
}

/** What names the server that is asked: a variable, with its file, or the flag. */
export function namedBy(sayings: readonly Saying[], server: string): string {
  const saying = sayings.find(speaksOfPlaces);
  if (saying?.variables.TASKFLOW_SERVER?.trim() !== server) return '--server';
  return saying.file === null ? 'TASKFLOW_SERVER' : `TASKFLOW_SERVER of ${saying.file}`;
}

/** The environment with the key of a server, or the file it is in, that a `.env` file names where the environment names none. */
export function withKeyOf(env: Surroundings['env'], sayings: readonly Saying[]): Surroundings['env'] {
  const saying = sayings.find(({ variables }) => variables.TASKFLOW_TOKEN?.trim() || variables.TASKFLOW_TOKEN_FILE);
  if (saying === undefined || saying.file === null) return env;
  const { TASKFLOW_TOKEN: token, TASKFLOW_TOKEN_FILE: file } = saying.variables;
  return {
    ...env,
    ...(token?.trim() && { TASKFLOW_TOKEN: token }),
    ...(file && { TASKFLOW_TOKEN_FILE: resolve(saying.folder, file) }),
  };
}

/** Says what a variable has outranked: the store of a config file that somebody has named. */
export async function tellLeftAlone(call: Call): Promise<void> {
  if (call.text('config') === undefined && !call.env.TASKFLOW_CONFIG) return;
  const { origins } = await call.config();
  const place = places.find((key) => origins[key].kind === 'file');
  if (place === undefined) return;
  const { file } = origins[place];
  call.output.note(`Asked is the server of TASKFLOW_SERVER, not the ${place} of ${file}: --broker <url> asks a store.`);
}

/** Who names a server means its store: one that is named beside it would be asked by nobody. */
export function checkServer(noun: Noun, { spec, options }: Parsed): void {
  if (options.server === undefined) {
    if (options.tokenFile === undefined) return;
    throw taskFlowError('USAGE', { problem: 'A key is for a server.' }, { hint: 'Name it with --server <url>.' });
  }
  const words = noun.alone ? noun.name : `${noun.name} ${spec.name}`;
  if (spec.isLocal === true)
    throw taskFlowError(
      'USAGE',
      { problem: `"${words}" cannot be asked of a server: it works on this machine, or at the store itself.` },
      { hint: `Leave out --server: taskflow ${words} --help` },
    );
  const beside = places.find((name) => options[name] !== undefined);
  if (beside !== undefined)
    throw taskFlowError(
      'USAGE',
      { problem: `--server and --${beside} do not go together: a server has its own store.` },
      { hint: `Leave out one of them: taskflow ${words} --help` },
    );
}
