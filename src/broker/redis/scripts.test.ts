// The scripts as a whole: what they ask of the user they run as.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadScripts } from './scripts.ts';

/** Words of commands that are no commands themselves. */
const words = new Set(['BYLEX', 'BYSCORE', 'COUNT', 'LIMIT', 'MINID', 'WITHSCORES', 'NX', 'XX']);

test('opening asks for every command that some script runs', () => {
  const folder = new URL('lua/', import.meta.url);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const run = new Set(sources.flatMap((text) => [...text.matchAll(/'([A-Z]{2,})'/g)].map(([, name]) => name ?? '')));
  const opening = loadScripts().open.text;
  const missing = [...run].filter((name) => !words.has(name) && !opening.includes(`'${name}'`));
  expect(missing, 'name it in lua/open.lua, or among the words here').toEqual([]);
});
