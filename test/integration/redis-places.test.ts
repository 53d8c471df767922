/** Where a Redis may be: found by sentinels, which appoint another one, and on the nodes of a cluster. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { readRedisUrl } from '../../src/broker/redis/url.ts';
import { limits } from '../../src/core/limits.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { findRedis } from '../../src/servers/programs.ts';
import { type RedisServer, startRedis } from '../../src/servers/redis.ts';
import { isListening, startServer } from '../../src/servers/throw-away.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { declareWithout } from '../support/without-server.ts';
import { repeat } from './lost-replies.ts';

const aNamespace = (): string => randomBytes(6).toString('hex');

/** As patient as ever, but for tests that wait. */
const clock: Clock = {
  ...systemClock,
  schedule: (delayMs, callback) =>
    systemClock.schedule(delayMs === limits.redisLookMs ? delayMs / 50 : delayMs, callback),
};

async function openAt(url: string, namespace = aNamespace()) {
  const broker = createRedisBroker({ address: readRedisUrl(url), namespace, clock });
  onTestFinished(() => broker.close());
  await broker.open();
  return broker;
}

/** Asks a server by itself. */
async function tell(server: Pick<RedisServer, 'path'>, ...command: readonly string[]): Promise<unknown> {
  const [name = '', ...args] = command;
  const client = new Redis({ path: server.path, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

const appending = ['--appendonly', 'yes'];

if (findRedis() === null) await declareWithout('redis');
else {
  describe('found by sentinels', async () => {
    const master = await startRedis([...appending, '--repl-diskless-sync-delay', '0']);
    const replica = await startRedis([...appending, '--replicaof', '127.0.0.1', String(master.port)]);
    const sentinel = await startSentinel(master.port);
    afterAll(() => Promise.all([sentinel.stop(), master.stop(), replica.stop()]));
    const url = `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`;

    test('the master is used, and is never called strict', async () => {
      await tell(master, 'CONFIG', 'SET', 'appendfsync', 'always');
      const { durability, detail } = await (await openAt(url)).info();
      expect([durability, detail]).toEqual(['standard', expect.stringMatching(/always.*failover may lose/)]);
    });

    test('a name that they do not know is refused', async () => {
      const broker = createRedisBroker({ address: readRedisUrl(url.replace('mymaster', 'other')), namespace: 'n' });
      const refused = { code: 'STORE_UNREACHABLE', hint: expect.stringContaining('name of the master') };
      await expect(broker.open()).rejects.toMatchObject(refused);
      await broker.close();
    });

    test('after a failover the new master is found, and signals are heard again', { timeout: 60_000 }, async () => {
      const namespace = aNamespace();
      const broker = await openAt(url, namespace);
      const heard: Signal[] = [];
      broker.subscribe((signal) => heard.push(signal));
      await broker.enqueue([newTask(sampleId(1))]);
      await waitFor(async () => expect(await tell(master, 'WAIT', '1', '500')).toBe(1), {
        timeout: 30_000,
      });
      // The sentinel refuses until it has heard of the replica, and from it that its link to the master is up.
      const failover = (): Promise<unknown> => tell(sentinel, 'SENTINEL', 'FAILOVER', 'mymaster');
      await waitFor(failover, { timeout: 30_000, interval: 200 });
      await master.kill();
      await waitFor(async () => expect(String(await tell(replica, 'ROLE'))).toMatch(/^master/), { timeout: 30_000 });
      const [claimed] = await repeat(() => broker.claim(claimRequest(sampleToken(1))));
      expect(claimed?.task.id).toBe(sampleId(1));
      await repeat(() => broker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]));
      const other = await openAt(url, namespace);
      await waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: null }), { timeout: 30_000 });
      await other.enqueue([newTask(sampleId(2))]);
      await waitFor(() => expect(heard.at(-1)).toEqual({ kind: 'work', queues: ['default'] }));
    });
  });

  describe('on a cluster', async () => {
    const nodes = [await startNode(), await startNode()] as const;
    afterAll(() => Promise.all(nodes.map((node) => node.stop())));

    test('of one node everything is as ever, and there is no other database', { timeout: 60_000 }, async () => {
      await tell(nodes[0], 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      const isWell = async (): Promise<void> =>
        expect(await tell(nodes[0], 'CLUSTER', 'INFO')).toContain('cluster_state:ok');
      await waitFor(isWell, { timeout: 30_000, interval: 100 });
      const [broker, other] = [await openAt(nodes[0].url, 'one'), await openAt(nodes[0].url, 'one')];
      const heard: Signal[] = [];
      other.subscribe((signal) => heard.push(signal));
      // Nobody is told of what was before it began to listen, which takes as long as it takes.
      let later = 100;
      await waitFor(async () => {
        await broker.enqueue([newTask(sampleId(++later), { delayMs: 3_600_000 })]);
        expect(heard).not.toEqual([]);
      });
      const tasks = [
        newTask(sampleId(1), { key: 'k', group: 'g', limits: [{ name: 'l', max: 1, rate: null }] }),
        newTask(sampleId(2), { dependsOn: [{ taskId: sampleId(1), onFailure: 'fail' }] }),
      ];
      await broker.enqueue(tasks);
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      const end = settlement(sampleId(1), claimed!.lease, finish('succeeded'));
      expect(await broker.settle([end], claimRequest(sampleToken(2)))).toMatchObject({
        results: [{ outcome: 'applied' }],
        claimed: [{ task: { id: sampleId(2) } }],
      });
      await waitFor(() => expect(heard.map(({ kind }) => kind)).toContain('finished'));
      await expect(openAt(`${nodes[0].url}/1`)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', hint: /only 0/ });
    });

    test('a namespace is found from any node, also after its slot has moved', { timeout: 60_000 }, async () => {
      const [first, second] = nodes;
      await tell(second, 'CLUSTER', 'MEET', '127.0.0.1', String(first.port));
      const isMet = async (): Promise<void> =>
        expect(await tell(second, 'CLUSTER', 'INFO')).toMatch(/cluster_state:ok[\s\S]*cluster_known_nodes:2/);
      await waitFor(isMet, { timeout: 30_000, interval: 100 });
      const namespace = aNamespace();
      const broker = await openAt(second.url, namespace);
      const heard: Signal[] = [];
      broker.subscribe((signal) => heard.push(signal));
      await broker.enqueue([newTask(sampleId(1))]);
      expect(await tell(first, 'EXISTS', `{${namespace}}:store`)).toBe(1);
      await moveSlot(first, second, namespace);
      const moved = await repeat(() => broker.getTasks([sampleId(1)]));
      expect(moved).toMatchObject([{ state: 'queued' }]);
      const other = await openAt(first.url, namespace);
      await waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: null }), { timeout: 30_000 });
      await other.enqueue([newTask(sampleId(2))]);
      await waitFor(() => expect(heard.at(-1)).toEqual({ kind: 'work', queues: ['default'] }));
    });
  });
}

function startNode(): Promise<RedisServer> {
  return startRedis([...appending, '--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']);
}

/** As `redis-cli --cluster reshard` does it. */
async function moveSlot(from: RedisServer, to: RedisServer, namespace: string): Promise<void> {
  const slot = String(await tell(from, 'CLUSTER', 'KEYSLOT', `{${namespace}}:`));
  const [fromId, toId] = [String(await tell(from, 'CLUSTER', 'MYID')), String(await tell(to, 'CLUSTER', 'MYID'))];
  await tell(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await tell(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  const keys = (await tell(from, 'CLUSTER', 'GETKEYSINSLOT', slot, '1000')) as string[];
  await tell(from, 'MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
  for (const node of [to, from]) await tell(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId);
}

/** One that decides alone, and soon. */
async function startSentinel(masterPort: number) {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-sentinel-'));
  const [port, path] = [await freePort(), join(folder, 'sentinel.sock')];
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `unixsocket ${path}`,
    `dir ${folder}`,
    `sentinel monitor mymaster 127.0.0.1 ${masterPort} 1`,
    'sentinel down-after-milliseconds mymaster 1000',
    'sentinel failover-timeout mymaster 5000',
  ];
  writeFileSync(join(folder, 'sentinel.conf'), `${lines.join('\n')}\n`);
  const recipe = {
    program: findRedis() ?? '',
    args: ['sentinel.conf', '--sentinel'],
    folder,
    signal: 'SIGKILL' as const,
  };
  return { port, path, ...(await startServer({ ...recipe, isReady: () => isListening(path) })) };
}
