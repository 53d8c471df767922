// The operations as a whole: what they ask of the user they run as, and what they keep from one call to the next.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Words of commands that are no commands themselves, and what may be missing: a user who may not ask who listens is handed nothing. */
const words = new Set([
  'BYLEX',
  'BYSCORE',
  'COUNT',
  'LIMIT',
  'MINID',
  'WITHSCORES',
  'WITHVALUES',
  'NX',
  'XX',
  'PUBSUB',
  'SHARDNUMSUB',
]);

test('opening asks for every command that some script runs', () => {
  const folder = new URL('lua/', import.meta.url);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const run = new Set(sources.flatMap((text) => [...text.matchAll(/'([A-Z]{2,})'/g)].map(([, name]) => name ?? '')));
  // Of it alone: with the parts that all share it is the text in which everything is found.
  const opening = readFileSync(new URL('open.lua', folder), 'utf8');
  const missing = [...run].filter((name) => !words.has(name) && !opening.includes(`'${name}'`));
  expect(missing, 'name it in lua/open.lua, or among the words here').toEqual([]);
});

/** Tables that are the same in every call, and functions of a block. */
const constants = new Set([
  'besides',
  'nothing',
  'workerHashes',
  'letterLists',
  'arrivals',
  'groups',
  'anew',
  'writeTasks',
  'outboxIsFull',
  'write',
  'addRun',
  'gather',
  'crowdsOf',
  'load',
  'ofClaims',
  'crowdsByTask',
  'textOfRuns',
  'describeCrowds',
  'describe',
  'answerOf',
  'numberText',
  'countName',
  'plain',
  'idFormats',
  'spacedFormats',
]);

test('every part says how a call begins what it keeps anew', () => {
  const folder = new URL('lua/', import.meta.url);
  const stale = readdirSync(folder).flatMap((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    if (text.startsWith('#!')) return [];
    const made = [...text.matchAll(/^function anew\.\w+\(\)\n([\s\S]*?)^end$/gm)].map(([, body]) => body).join();
    const kept = [...text.matchAll(/^local ([a-z]\w*(?:, [a-z]\w*)*)(?: = (.*))?$/gm)].flatMap(([, names = '']) =>
      names.split(', '),
    );
    const begun = made + (/local function begin[\s\S]*?^end$/m.exec(text)?.[0] ?? '');
    return kept
      .filter((one) => !constants.has(one) && !new RegExp(`\\b${one}\\b`).test(begun))
      .map((one) => `${name}: ${one}`);
  });
  expect(stale, 'name it in a function of `anew`, or among the constants here').toEqual([]);
});
