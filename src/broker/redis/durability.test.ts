// From settings to a promise: what a server keeps, and when that is less than asked for.

import { expect, test } from 'vitest';
import { type Durability, refuseWeak, type WantedDurability } from '../durability.ts';
import { durabilityOf, hintFor } from './durability.ts';

const facts = (settings: object, info: object = {}, mayFailOver = false) => ({
  settings: new Map(Object.entries(settings) as [string, string][]),
  info: new Map(Object.entries(info) as [string, string][]),
  mayFailOver,
});
const appending = { appendonly: 'yes', appendfsync: 'always' };

test.for([
  [facts(appending), 'strict', 'append-only file, appendfsync always'],
  [facts({ ...appending, appendfsync: 'everysec' }), 'standard', 'append-only file, appendfsync everysec'],
  [facts({ ...appending, appendfsync: 'no' }), 'volatile', 'append-only file, appendfsync no'],
  [
    facts({ ...appending, 'no-appendfsync-on-rewrite': 'yes' }),
    'standard',
    'append-only file, appendfsync always, not synced during a rewrite',
  ],
  [facts({ appendonly: 'no', save: '3600 1' }), 'volatile', 'no append-only file, snapshots (save 3600 1)'],
  [facts({ appendonly: 'no', save: '' }), 'volatile', 'no append-only file'],
  [facts({}, { aof_enabled: '0' }), 'volatile', 'no append-only file'],
  [facts({}, { aof_enabled: '1' }), 'unverified', 'append-only file, appendfsync may not be read'],
  [facts({}), 'unverified', 'settings that may not be read'],
  [
    facts(appending, { connected_slaves: '2' }, true),
    'standard',
    'append-only file, appendfsync always, 2 replicas, a failover may lose the last writes',
  ],
] as const)('%j is %s: %s', ([given, durability, detail]) => {
  expect(durabilityOf(given)).toEqual({ durability, detail });
});

test.for([facts({ 'maxmemory-policy': 'allkeys-lru' }), facts({}, { maxmemory_policy: 'volatile-ttl' })])(
  'a server that drops keys is refused, whoever says so',
  (given) => {
    expect(() => durabilityOf(given)).toThrow(expect.objectContaining({ code: 'STORE_EVICTS', exitCode: 6 }));
  },
);

const refuse = (durability: Durability['durability'], wanted: WantedDurability): void =>
  refuseWeak({ durability, detail: 'what was read' }, { masked: 'redis://host', wanted, hintFor });

test.for([
  ['standard', 'strict', 'appendfsync always'],
  ['volatile', 'standard', 'appendonly yes'],
  ['unverified', 'standard', '+config|get'],
] as const)('%s is refused where %s was asked for, with what to do', ([durability, wanted, hint]) => {
  const told = { code: 'STORE_WEAK', exitCode: 9, hint: expect.stringContaining(hint) };
  expect(() => refuse(durability, wanted)).toThrow(expect.objectContaining(told));
});

test('what is asked for or better is taken, and everything where nothing is asked for', () => {
  refuse('strict', 'standard');
  refuse('standard', 'standard');
  refuse('volatile', 'any');
  refuse('unverified', 'any');
});
