/** Calls an operation on a server: as a function of a library that the server keeps, or as a script where it keeps none. */

import { Command, type Redis } from 'ioredis';
import { encodeCommand } from './encode.ts';
import { isForbidden, isKnownLibrary, isReply, isUnknownFunction, isUnknownScript } from './errors.ts';
import { libraryPrefix, type ScriptName, type Scripts } from './scripts.ts';

/** `given` is how many keys there are, the keys, and the arguments. Answers what the server does, or rejects with its error. */
export type Calls = (on: Redis, name: ScriptName, given: readonly (string | number)[]) => Promise<unknown>;

/**
 * Versions of TaskFlow that may share a server. What others have left is cleared away when one more comes: whoever still needs it brings
 * it again.
 */
const librariesKept = 8;

export function createCalls(scripts: Scripts): Calls {
  /** Connections whose server keeps no library for us: an old rule of access, no memory left, or a server that has none. */
  const withoutLibrary = new WeakSet<Redis>();
  /** Tries under way to bring the library. */
  const bringing = new WeakMap<Redis, Promise<boolean>>();

  const bringOnce = (on: Redis): Promise<boolean> => {
    const known = bringing.get(on);
    if (known !== undefined) return known;
    const trying = bring(on, scripts).finally(() => bringing.delete(on));
    bringing.set(on, trying);
    return trying;
  };

  return async (on, name, given) => {
    // A server that forgets the library again and again is told the operation itself.
    for (const isLast of [false, true]) {
      if (withoutLibrary.has(on)) break;
      try {
        return await send(on, ['FCALL', scripts.functions[name], ...given]);
      } catch (error) {
        if (isForbidden(error)) withoutLibrary.add(on);
        else if (!isUnknownFunction(error)) throw error;
        else if (!isLast && !(await bringOnce(on))) withoutLibrary.add(on);
      }
    }
    return evaluate(on, scripts, name, given);
  };
}

/** As `callBuffer` does, but for the making of the bytes. `given` begins with the name of the command. */
export function send(on: Redis, given: readonly [name: string, ...args: (string | number)[]]): Promise<unknown> {
  const command = new Command(given[0]);
  const bytes = encodeCommand(given);
  command.toWritable = () => bytes;
  return on.sendCommand(command) as Promise<unknown>;
}

/** Whether the library is there now. */
async function bring(on: Redis, { library }: Scripts): Promise<boolean> {
  try {
    await on.call('FUNCTION', 'LOAD', library.text);
  } catch (error) {
    if (isKnownLibrary(error)) return true;
    if (isReply(error)) return false;
    throw error;
  }
  await clearAway(on, library.name).catch((error: unknown) => {
    // It is there, whatever becomes of the others.
    if (!isReply(error)) throw error;
  });
  return true;
}

async function clearAway(on: Redis, own: string): Promise<void> {
  const found = (await on.call(
    'FUNCTION',
    'LIST',
    'LIBRARYNAME',
    `${libraryPrefix}*`,
  )) as readonly (readonly unknown[])[];
  const others = found.map((facts) => String(facts[facts.indexOf('library_name') + 1])).filter((name) => name !== own);
  for (const name of others.slice(librariesKept)) await on.call('FUNCTION', 'DELETE', name);
}

async function evaluate(
  on: Redis,
  scripts: Scripts,
  name: ScriptName,
  given: readonly (string | number)[],
): Promise<unknown> {
  const { sha, text } = scripts.script(name);
  try {
    return await on.callBuffer('EVALSHA', [sha, ...given]);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return on.callBuffer('EVAL', [text, ...given]);
  }
}
