/** Checks which answers of Redis are final, and which are an outage. */

import { expect, test } from 'vitest';
import { isForbidden } from './errors.ts';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

test.for([
  [reply("NOPERM this user has no permissions to run the 'config' command"), true],
  [reply("ERR unknown command 'CONFIG', with args beginning with: 'GET'"), true],
  [reply('LOADING Redis is loading the dataset in memory'), false],
  [new Error('Connection is closed.'), false],
] as const)('what may not be asked is told from what cannot be asked now: %s', ([error, forbidden]) => {
  expect(isForbidden(error)).toBe(forbidden);
});
