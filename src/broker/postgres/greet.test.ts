// From what a Postgres says of itself to a promise: what it keeps, and when that is less than asked for.

import { expect, test } from 'vitest';
import { greet } from './greet.ts';
import { readPostgresUrl } from './url.ts';

interface Said {
  readonly version?: string;
  readonly standby?: number;
  readonly fsync?: string;
  readonly pages?: string;
  readonly commit?: string;
  readonly source?: string;
}

function greeted(said: Said, options = ''): ReturnType<typeof greet> {
  const { version = '150004', standby = 0, fsync = 'on', pages = 'on', commit = 'on', source = 'default' } = said;
  const address = readPostgresUrl(`postgres://ada:geheim@host/tasks${options}`);
  return greet([[version, standby, fsync, pages, commit, source, 'ada', 'tasks']], address);
}

test.for([
  [{}, 'strict', 'version 15.4, synchronous_commit=on, fsync=on'],
  [{ commit: 'local' }, 'strict', 'version 15.4, synchronous_commit=local, fsync=on'],
  [{ commit: 'off' }, 'standard', 'version 15.4, synchronous_commit=off, fsync=on'],
  [{ fsync: 'off' }, 'volatile', 'version 15.4, synchronous_commit=on, fsync=off'],
  [{ pages: 'off' }, 'volatile', 'version 15.4, synchronous_commit=on, fsync=on, full_page_writes=off'],
] as const)('%j is %s: %s', ([said, durability, detail]) => {
  expect(greeted(said, '?durability=any')).toEqual({ durability, detail });
});

test.for([
  [{ fsync: 'off' }, '', /^Set fsync = on in postgresql\.conf .*\?durability=any$/],
  [{ fsync: 'off', pages: 'off' }, '', /^Set fsync = on and full_page_writes = on in/],
  [{ pages: 'off' }, '?durability=standard', /^Set full_page_writes = on in/],
  [{ commit: 'off' }, '', /^Set synchronous_commit = on in postgresql\.conf .*\?durability=standard$/],
  [{ commit: 'off', source: 'user' }, '', /^ALTER ROLE "ada" RESET synchronous_commit;/],
  [{ commit: 'off', source: 'database' }, '?durability=strict', /^ALTER DATABASE "tasks" RESET synchronous_commit;/],
  [{ commit: 'off', source: 'database user' }, '', /^ALTER ROLE "ada" IN DATABASE "tasks" RESET/],
  [{ commit: 'off', source: 'client' }, '', /^Leave synchronous_commit out of the URL/],
] as const)('%j with "%s" in the URL is refused, with what to do: %s', ([said, options, hint]) => {
  const told = { code: 'STORE_WEAK', exitCode: 9, hint: expect.stringMatching(hint) as unknown };
  expect(() => greeted(said, options)).toThrow(expect.objectContaining(told) as Error);
});

test('who asks for less gets it', () => {
  expect(greeted({ commit: 'off' }, '?durability=standard').durability).toBe('standard');
});

test('an old server and a standby are refused whatever is asked for', () => {
  expect(() => greeted({ version: '120003' }, '?durability=any')).toThrow(/host.* is Postgres 12\.3/);
  expect(() => greeted({ standby: 1 }, '?durability=any')).toThrow(/standby/);
});
