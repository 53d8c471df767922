/** The line of the command line for each operation that has a command: for the reference of the API. */

import { nouns } from './catalog.ts';

/** By the operation's name: `taskflow queue pause email` for `queue.pause`. Loads every command, so it is asked for when it is needed. */
export async function commandExamples(): Promise<Readonly<Record<string, string>>> {
  const files = await Promise.all(
    nouns.filter(({ alone }) => !alone).map(async ({ name, load }) => ({ name, ...(await load()) })),
  );
  return Object.fromEntries(
    files.flatMap(({ name, commands }) => commands.map((command) => [`${name}.${command.name}`, command.example])),
  );
}
