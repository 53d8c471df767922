// A connection that is made anew: how often it is tried, who waits for it, and when it is given up.

import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { createManualClock, type ManualClock, rest } from '../../../test/support/manual-clock.ts';
import { limits } from '../../core/limits.ts';
import { translate } from './errors.ts';
import { createLink, type Link } from './link.ts';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

let clock: ManualClock;
let server: { connect: () => Promise<void>; greet: () => Promise<void>; ping: () => Promise<void> };
let tries: Redis[];
let link: Link;

/** As much of a client as a link uses. */
function createClient(): Redis {
  const client = Object.assign(new EventEmitter(), {
    status: 'wait',
    connect: async () => {
      await server.connect();
      client.status = 'ready';
    },
    ping: () => server.ping(),
    disconnect: () => {
      client.status = 'end';
    },
  });
  tries.push(client as unknown as Redis);
  return client as unknown as Redis;
}

const refused = (): Promise<void> => Promise.reject(new Error('connect ECONNREFUSED 127.0.0.1:6379'));
const never = (): Promise<void> => new Promise(() => {});

beforeEach(() => {
  clock = createManualClock();
  server = { connect: async () => {}, greet: async () => {}, ping: async () => {} };
  tries = [];
  const chance = { float: () => 1, bytes: (count: number) => new Uint8Array(count) };
  const way = { create: createClient, follow: () => false, explain: translate };
  link = createLink({ way, greet: () => server.greet(), look: (client) => client.ping(), clock, chance });
});

/** Opens it and lets it live for long enough to count as well. */
async function openForLong(): Promise<Redis> {
  await link.open();
  await clock.advance(limits.backoffMaxMs + 1);
  return link.client!;
}

test('a first try that fails is told, and is the last', async () => {
  server.connect = refused;
  await expect(link.open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /ECONNREFUSED/ });
  await clock.advance(60_000);
  expect(tries).toHaveLength(1);
});

test('a connection that is lost is tried at once, then ever more rarely, and is there again', async () => {
  const lost = await openForLong();
  server.connect = refused;
  lost.emit('end');
  await rest();
  expect(tries).toHaveLength(2);
  await clock.advance(60_000);
  const inOneMinute = tries.length;
  expect(inOneMinute).toBeGreaterThan(12);
  expect(inOneMinute).toBeLessThan(24);
  server.connect = async () => {};
  await clock.advance(limits.backoffMaxMs);
  expect(link.client).toBe(tries.at(-1));
  await expect(link.arrive()).resolves.toBe(link.client);
});

test('a call waits for the try under way, and for no other', async () => {
  const lost = await openForLong();
  let connected = (): void => {};
  server.connect = () => new Promise((resolve) => (connected = resolve));
  lost.emit('end');
  const waiting = link.arrive();
  connected();
  await expect(waiting).resolves.toBe(tries[1]);
  server.connect = refused;
  tries[1]!.emit('end');
  await expect(link.arrive()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
});

test('a server that takes every connection and drops it is not asked for one after the other', async () => {
  await link.open();
  for (let losses = 0; losses < 5; losses++) {
    link.client?.emit('end');
    await clock.advance(limits.redisReconnectMs);
  }
  expect(tries.length).toBeLessThan(6);
});

test('a try without an end is given up, whatever it waits for', async () => {
  server.greet = never;
  const opened = expect(link.open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /no connection/ });
  await clock.advance(limits.redisConnectMs);
  await opened;
  expect(tries[0]?.status).toBe('end');
});

test('a connection on which nobody answers is given up, and another one made', async () => {
  await openForLong();
  server.ping = never;
  await clock.advance(limits.redisLookMs + limits.redisCallMs);
  expect(tries[0]?.status).toBe('end');
  expect(link.client).toBe(tries[1]);
});

test('a server that greets with a refusal tells it to every call until it is well', async () => {
  const lost = await openForLong();
  server.greet = () => Promise.reject(reply('LOADING Redis is loading the dataset in memory'));
  lost.emit('end');
  await clock.advance(1_000);
  await expect(link.arrive()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /LOADING/ });
  server.greet = async () => {};
  await clock.advance(limits.backoffMaxMs);
  expect(link.client).not.toBeNull();
});

test('once closed it tries nothing more', async () => {
  const lost = await openForLong();
  server.connect = refused;
  lost.emit('end');
  await clock.advance(100);
  const before = tries.length;
  link.close();
  await clock.advance(60_000);
  expect(tries).toHaveLength(before);
  await expect(link.arrive()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
