// The second half of run.mjs, already on Node 24: brings node_modules (and dist/ with --build) up to date and becomes
// the program that was asked for.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './places.mjs';
import { prepare } from './prepare.mjs';

const tools = {
  biome: 'node_modules/@biomejs/biome/bin/biome',
  changeset: 'node_modules/@changesets/cli/bin.js',
  tsc: 'node_modules/typescript/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
};

const build = process.argv[2] === '--build';
await prepare(import.meta.url, { build });
const [program, ...args] = process.argv.slice(build ? 3 : 2);

if (program !== undefined) {
  const path = resolve(root, tools[program] ?? program);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}
