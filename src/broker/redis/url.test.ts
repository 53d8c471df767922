// URLs of Redis: what they say, and what is wrong with those that say nothing.

import { expect, test } from 'vitest';
import { placeOf, readRedisUrl, withNamespace } from './url.ts';

test.for([
  ['redis://localhost', { hosts: [{ host: 'localhost', port: 6379 }], db: 0, user: null, password: null, tls: null }],
  ['redis://:secret@h:1/3', { hosts: [{ host: 'h', port: 1 }], db: 3, user: null, password: 'secret' }],
  ['redis://ada:p%40ss%2Fword@h', { user: 'ada', password: 'p@ss/word', masked: 'redis://ada@h' }],
  ['rediss://h:6380?ca=a.pem&cert=b.pem&key=c.pem', { tls: { ca: 'a.pem', cert: 'b.pem', key: 'c.pem' } }],
  ['valkeys://h', { tls: { ca: null, cert: null, key: null } }],
  ['redis://[::1]:7000/2', { hosts: [{ host: '::1', port: 7000 }], db: 2 }],
  ['redis://h?namespace=shop&durability=strict', { namespace: 'shop', durability: 'strict' }],
  ['redis://h', { namespace: null, durability: 'standard', path: null, sentinel: null }],
  ['redis+unix:///run/redis.sock?db=4', { path: '/run/redis.sock', db: 4, hosts: [] }],
  [
    'redis+sentinel://u:p@a:1,b/mymaster/5?sentinelUser=s&sentinelPassword=t',
    {
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
      ],
      sentinel: { master: 'mymaster', user: 's', password: 't' },
      user: 'u',
      password: 'p',
      db: 5,
    },
  ],
] as const)('%s is read', ([url, expected]) => {
  expect(readRedisUrl(url)).toMatchObject(expected);
});

test.for([
  ['redis:', 'it is no URL'],
  ['postgres://h', '"postgres" is no Redis'],
  ['redis://', 'it names no host'],
  ['redis://h:70000', '70000 is no port'],
  ['redis://h:x', '"h:x" is no host'],
  ['redis://h/name', 'the database is a number, not "name"'],
  ['redis://h/1?db=2', 'it names the database twice'],
  ['redis://a,b', 'several hosts are sentinels: redis+sentinel://host:port,host:port/master'],
  ['redis://h?durability=best', 'durability is one of strict, standard, any'],
  ['redis://h?ssl=true', '"ssl" is no option of it: these are namespace, durability, db, ca, cert, key, sentinelUser'],
  ['redis://h?ca=ca.pem', 'certificates belong to rediss://'],
  ['rediss://h?cert=c.pem', 'cert and key belong together'],
  ['redis+sentinel://h', 'sentinels are asked for a master'],
  ['redis+unix://run/redis.sock', 'a socket is redis+unix:///run/redis.sock, with three slashes'],
  ['redis://%zz@h', '"%zz" is no percent-encoding'],
] as const)('%s is refused: %s', ([url, problem]) => {
  expect(() => readRedisUrl(url)).toThrow(problem);
});

test('passwords are nowhere in what people see', () => {
  const { masked } = readRedisUrl('redis+sentinel://u:secret@a:1/m?sentinelPassword=hidden');
  expect(masked).toBe('redis+sentinel://u@a:1/m');
});

test('another thread gets the URL with the namespace in it', () => {
  const written = withNamespace(readRedisUrl('rediss://u:p@h/1?ca=a%20b.pem'), 'shop');
  expect(readRedisUrl(written)).toMatchObject({ namespace: 'shop', password: 'p', db: 1, tls: { ca: 'a b.pem' } });
});

test('a certificate is asked for the name of the host, and an address has none', () => {
  expect(placeOf(readRedisUrl('rediss://redis.internal'))).toMatchObject({ tls: { servername: 'redis.internal' } });
  expect(placeOf(readRedisUrl('rediss://127.0.0.1')).tls).toEqual({});
});
