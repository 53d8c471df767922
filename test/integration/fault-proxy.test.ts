/** The fault proxy before real servers: each fault does what its name says, and healing ends it. */

import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

await onOwnRedis((server) => {
  describe('before Redis', () => {
    let proxy: FaultProxy;
    let client: Redis;
    let direct: Redis;
    const connect = (): Redis => {
      const made = new Redis({
        port: proxy.port,
        retryStrategy: () => null,
        lazyConnect: true,
        maxRetriesPerRequest: 0,
      });
      // Rejected calls tell it too.
      made.on('error', () => {});
      return made;
    };
    beforeEach(async () => {
      proxy = await startFaultProxy({ target: { path: server.path }, protocol: 'redis' });
      client = connect();
      direct = new Redis({ path: server.path });
      await direct.flushall();
      await client.connect();
    });
    afterEach(async () => {
      client.disconnect();
      direct.disconnect();
      await proxy.close();
    });

    test('passes everything while nothing is wrong', async () => {
      const large = 'x'.repeat(300_000);
      await client.set('large', large);
      expect(await client.get('large')).toBe(large);
      expect(proxy.hits()).toBe(0);
    });

    test('a delayed call still ends, and is counted', async () => {
      proxy.inflict({ kind: 'delay', ms: 5, jitterMs: 5 });
      expect(await client.incr('counter')).toBe(1);
      expect(proxy.hits()).toBeGreaterThan(0);
    });

    test('a slow drip brings every byte', async () => {
      proxy.inflict({ kind: 'drip', bytesPerSecond: 500 });
      expect(await client.echo('every byte')).toBe('every byte');
    });

    test('in silence nothing arrives, and it does when the silence ends', async () => {
      proxy.inflict({ kind: 'silence', of: 'both' });
      const call = client.incr('counter');
      await waitFor(() => expect(proxy.hits()).toBe(1));
      expect(await direct.get('counter')).toBe(null);
      proxy.inflict({ kind: 'none' });
      expect(await call).toBe(1);
    });

    test('in silence of replies a call is executed and not answered', async () => {
      proxy.inflict({ kind: 'silence', of: 'replies' });
      const call = client.incr('counter');
      await waitFor(async () => expect(await direct.get('counter')).toBe('1'));
      proxy.inflict({ kind: 'none' });
      expect(await call).toBe(1);
    });

    test('a server that goes away in silence is not noticed', async () => {
      proxy.inflict({ kind: 'silence', of: 'both' });
      await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      const closed = vi.fn();
      client.on('close', closed);
      await waitFor(() => expect(proxy.hits()).toBeGreaterThan(0));
      expect(closed).not.toHaveBeenCalled();
      proxy.inflict({ kind: 'none' });
      await waitFor(() => expect(closed).toHaveBeenCalled());
    });

    test('on an abandoned connection nothing passes any more, and on a new one it does', async () => {
      expect(proxy.abandon()).toBe(1);
      const ended = vi.fn();
      void client.incr('counter').then(ended, ended);
      const another = connect();
      expect(await another.incr('counter')).toBe(1);
      expect(ended).not.toHaveBeenCalled();
      another.disconnect();
    });

    test('who is refused is so until it is healed', async () => {
      proxy.inflict({ kind: 'refuse' });
      await expect(client.ping()).rejects.toThrow();
      const late = connect();
      await expect(late.connect()).rejects.toThrow();
      proxy.inflict({ kind: 'none' });
      const healed = connect();
      expect(await healed.ping()).toBe('PONG');
      healed.disconnect();
    });

    test('a connection is reset in the middle of a reply', async () => {
      await direct.set('large', 'x'.repeat(100_000));
      proxy.inflict({ kind: 'cutAfter', bytes: 50_000 });
      await expect(client.get('large')).rejects.toThrow();
      expect(proxy.hits()).toBe(1);
    });

    test.each([
      ['before the store sees it', false, '1'],
      ['when the store has executed it', true, '2'],
    ])('the second EVAL is cut off %s, whatever payloads say', async (_when, executed, counted) => {
      proxy.inflict({ kind: 'cutAt', request: /^EVAL /i, nth: 2, executed });
      const increment = () => client.eval("return redis.call('INCR', 'counter')", 0);
      await client.set('text', '*1\r\n$4\r\nEVAL\r\n EVAL ');
      expect(await increment()).toBe(1);
      await expect(increment()).rejects.toThrow();
      expect(await direct.get('counter')).toBe(counted);
      expect(proxy.hits()).toBe(1);
    });
  });
});

await onPostgres(({ url }) => {
  describe('before Postgres', () => {
    let proxy: FaultProxy;
    let client: Client;
    let direct: Client;
    beforeEach(async () => {
      const { hostname, port } = new URL(url);
      proxy = await startFaultProxy({ target: { host: hostname, port: Number(port) }, protocol: 'postgres' });
      const through = new URL(url);
      through.port = String(proxy.port);
      client = new Client({ connectionString: through.href });
      client.on('error', () => {});
      direct = new Client({ connectionString: url });
      await Promise.all([client.connect(), direct.connect()]);
      await direct.query('create table if not exists numbers (number int)');
      await direct.query('truncate numbers');
    });
    afterEach(async () => {
      await Promise.allSettled([client.end(), direct.end()]);
      await proxy.close();
    });
    const insert = async (prepared: boolean): Promise<void> => {
      await client.query('begin');
      await client.query("insert into numbers values (1), (length('commit'))");
      await client.query(prepared ? { name: 'end', text: 'commit' } : 'commit');
    };
    const rows = async (): Promise<number> => (await direct.query('select number from numbers')).rows.length;

    test.each([
      ['simple', 'before the store sees it', false, false, 2],
      ['simple', 'when the store has executed it', false, true, 4],
      ['prepared', 'before the store sees it', true, false, 2],
      ['prepared', 'when the store has executed it', true, true, 4],
    ])('the second, %s commit is cut off %s', async (_how, _when, prepared, executed, expected) => {
      proxy.inflict({ kind: 'cutAt', request: /^commit$/i, nth: 2, executed });
      await insert(prepared);
      await expect(insert(prepared)).rejects.toThrow();
      expect(await rows()).toBe(expected);
      expect(proxy.hits()).toBe(1);
    });

    test('a reset ends every connection', async () => {
      expect(proxy.reset()).toBe(1);
      await expect(client.query('select 1')).rejects.toThrow();
    });
  });
});
