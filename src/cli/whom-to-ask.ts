/** Whom a command asks: the server that is named for it, else the store of the configuration. */

import { variablesOf } from '../config/settings.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Noun } from './catalog.ts';
import type { Call, Surroundings } from './command.ts';
import type { Parsed } from './program.ts';

/** The settings that say where a store is. */
const places = ['broker', 'store', 'namespace'] as const;

/**
 * With the server of the environment, where nothing on the command line says where the tasks are. Throws USAGE where the environment names
 * a store too: neither variable outranks the other.
 */
export function withServerOf(parsed: Parsed, env: Surroundings['env']): Parsed {
  const { spec, options } = parsed;
  const isSaid = ['server', ...places, 'local'].some((name) => options[name] !== undefined);
  const server = env.TASKFLOW_SERVER?.trim() ?? '';
  if (server === '' || isSaid || spec.isLocal === true) return parsed;
  const beside = variableBesideServer(env);
  if (beside !== null)
    throw taskFlowError(
      'USAGE',
      { problem: `TASKFLOW_SERVER and ${beside} do not go together: a server has its own store.` },
      { hint: 'Unset one of them, or say which it is this time: --server <url> or --broker <url>.' },
    );
  return { ...parsed, options: { ...options, server } };
}

/** The variable of a store beside that of a server; `null` where there are not both. */
export function variableBesideServer(env: Surroundings['env']): string | null {
  if (!env.TASKFLOW_SERVER?.trim()) return null;
  return places.flatMap(variablesOf).find((name) => env[name]?.trim()) ?? null;
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
