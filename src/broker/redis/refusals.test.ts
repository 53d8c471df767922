// Why there is no connection, for who has written the URL: the errors that are hard to bring about.

import { expect, test } from 'vitest';
import { translateRefusal } from './refusals.ts';
import { readRedisUrl } from './url.ts';

const node = (code: string, message: string): Error => Object.assign(new Error(message), { code });
const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

test.for([
  ['rediss://h', node('ETIMEDOUT', 'connect ETIMEDOUT'), 'Where it wants no TLS the URL begins with redis://.'],
  ['rediss://h', node('EPROTO', 'wrong version number'), 'Where the server wants no TLS the URL begins with redis://.'],
  ['redis://h', node('ECONNRESET', 'read ECONNRESET'), 'Where the server wants TLS the URL begins with rediss://.'],
  ['rediss://h', node('CERT_HAS_EXPIRED', 'certificate has expired'), 'Name the certificate of its authority'],
  ['redis://h', node('EAI_AGAIN', 'getaddrinfo EAI_AGAIN h'), 'Check the name of the host'],
  ['redis://h', reply('DENIED Redis is running in protected mode.\nMore lines'), 'Give the server a password'],
  ['redis://h', reply('ERR max number of clients reached'), 'Raise maxclients'],
  ['redis://h', reply('CLUSTERDOWN Hash slot not served'), 'redis-cli cluster info'],
  ['redis://h', reply('MISCONF Redis is configured to save RDB snapshots'), 'The server takes no writes'],
] as const)('%s, %s: one line with the next thing to do', ([url, error, hint]) => {
  const told = translateRefusal(error, readRedisUrl(url), 'shop');
  expect(told).toMatchObject({ code: 'STORE_UNREACHABLE', hint: expect.stringContaining(hint), cause: error });
  expect((told as Error).message).toMatch(new RegExp(`^Cannot reach the store: ${url}: [^\n]+$`));
});

test('of rights that are missing the line of the administrator is told, for this namespace', () => {
  const told = translateRefusal(
    reply("NOPERM this user has no permissions to run the 'evalsha' command"),
    readRedisUrl('redis://h'),
    'shop',
  );
  expect(told).toMatchObject({ code: 'STORE_READ_ONLY', hint: expect.stringContaining('~{shop}:*') });
});
