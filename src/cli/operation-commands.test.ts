/** Checks that every operation is reached by a command, or says why not. */

import { expect, test } from 'vitest';
import { operations } from '../operations/registry.ts';
import { nouns } from './catalog.ts';
import { commandExamples } from './command-examples.ts';
import { commandOf, withoutCommand } from './operation-commands.ts';

test('every operation has a command or a reason', async () => {
  const commands = new Set([
    ...Object.keys(await commandExamples()),
    ...nouns.filter(({ alone }) => alone).map(({ name }) => name),
  ]);
  const unreached = Object.values(operations).flatMap(({ name, scope }) => {
    if (scope === 'work') return [];
    const command = (commandOf as Readonly<Record<string, string>>)[name] ?? name;
    const reason = (withoutCommand as Readonly<Record<string, string>>)[name];
    return commands.has(command) === (reason !== undefined) ? [name] : [];
  });
  expect(unreached).toEqual([]);
});

test('neither table knows more than the registry', () => {
  const known = new Set(Object.keys(operations));
  expect([...Object.keys(commandOf), ...Object.keys(withoutCommand)].filter((name) => !known.has(name))).toEqual([]);
});
