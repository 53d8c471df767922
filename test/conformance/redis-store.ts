/** The Redis adapter as a store under test: a namespace for each store, and a look at its keys from outside. */

import { createHash, randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Broker } from '../../src/broker/broker.ts';
import { readAttempt, readLog } from '../../src/broker/redis/bodies.ts';
import { readEvent } from '../../src/broker/redis/events.ts';
import { unpack } from '../../src/broker/redis/packed.ts';
import { recountRedis } from '../../src/broker/redis/recount.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { Pause } from '../../src/core/facts.ts';
import { queueLimitName } from '../../src/core/limit-rules.ts';
import type { TaskView } from '../../src/core/states.ts';
import { recordingBeforePrune, unlimited } from './recorded.ts';
import type { Contents, CreateStore } from './store.ts';

let stores = 0;

/** Makes stores on this server, which others may use too. */
export function redisStores(address: RedisOptions['address']): CreateStore {
  return async ({ now, chance, outboxLimits = unlimited }) => {
    const recorded: BatchEvent[] | null = outboxLimits === unlimited ? [] : null;
    stores += 1;
    // Braces and colons mean something in a key: a namespace may have them all the same.
    const namespace = `case:${stores}:${randomBytes(4).toString('hex')}`;
    const prefix = `{${namespace}}:`;
    const look = 'url' in address ? new Redis(address.url) : new Redis({ path: address.path });
    const open = new Set<Broker>();
    return {
      connect: async () => {
        const own = createRedisBroker({
          address,
          namespace,
          now,
          chance,
          outboxLimits: { ...outboxLimits, packMin: 2, bareMin: 3 },
        });
        await own.open();
        open.add(own);
        const close = (): Promise<void> => {
          open.delete(own);
          return own.close();
        };
        const broker = { ...own, close };
        return recorded === null ? broker : recordingBeforePrune(broker, recorded);
      },
      contents: async () => {
        const [broker] = open;
        const wrong = broker === undefined ? [] : await recountRedis(look, prefix, broker);
        if (wrong.length > 0) throw new Error(`What is kept beside the tasks is not true: ${wrong.join('; ')}`);
        return readContents(look, prefix);
      },
      events: async () => {
        const kept = await look.xrange(`${prefix}events`, '-', '+');
        return [...(recorded ?? []), ...kept.map(([id, fields]) => readEvent(id, fields))];
      },
      record: async (taskId) => ({
        attempts: (await look.lrange(`${prefix}attempts:${taskId}`, 0, -1)).map(readAttempt),
        logs: (await look.lrange(`${prefix}logs:${taskId}`, 0, -1)).map(readLog),
      }),
      dispose: async () => {
        for await (const keys of look.scanStream({ match: '*', count: 1_000 }) as AsyncIterable<readonly string[]>) {
          const own = keys.filter((key) => key.startsWith(prefix));
          if (own.length > 0) await look.unlink(...own);
        }
        look.disconnect();
      },
    };
  };
}

/** What is stored beside the tasks. */
export async function readContents(look: Redis, prefix: string): Promise<Contents> {
  const [keys, counts, rules, limits, queues] = await Promise.all([
    look.hgetallBuffer(`${prefix}keys`),
    look.hgetall(`${prefix}counts`),
    look.hgetall(`${prefix}rules`),
    look.hgetall(`${prefix}limits`),
    look.hgetall(`${prefix}queues`),
  ]);
  return {
    taskIds: await look.hkeys(`${prefix}tasks`),
    keys: Object.entries(keys).map(([key, packed]) => {
      const [[taskId, until] = []] = unpack(packed, 1).values as unknown as [[string, number | false]];
      return { key, taskId: taskId ?? '', until: until === false || until === undefined ? null : until };
    }),
    counts: Object.entries(counts).map(([text, count]) => {
      const [queue, name, view] = JSON.parse(text) as [string, string, TaskView];
      return { queue, name, view, count: Number(count) };
    }),
    turns: await readTurns(look, prefix),
    edges: await readEdges(look, prefix),
    cancelledFlows: await look.hkeys(`${prefix}cancelledFlows`),
    slots: await readSlots(look, prefix, [
      ...Object.values(rules).flatMap((text) => (JSON.parse(text) as [[string]]).map(([name]) => name)),
      ...Object.keys(queues).map(queueLimitName),
    ]),
    limits: Object.entries(limits).map(([name, text]) => {
      type Stored = [max: number | false, count: number | false, perMs: number | false, pause: Pause | false];
      const [max, count, perMs, pause] = JSON.parse(text) as Stored;
      const rate = count === false || perMs === false ? null : { count, perMs };
      return { name, settings: { max: max === false ? null : max, rate, ...(pause !== false && { pause }) } };
    }),
  };
}

async function readTurns(look: Redis, prefix: string): Promise<Contents['turns']> {
  const turns: Contents['turns'][number][] = [];
  for (const [queue, round] of Object.entries(await look.hgetall(`${prefix}rounds`))) {
    const key = `${prefix}queue:${createHash('sha1').update(queue).digest('hex')}`;
    const standing = new Set((await look.zrange(`${key}:standing`, '0', '-1')).map((member) => member.slice(16)));
    for (const [name, text] of Object.entries(await look.hgetall(`${key}:turns`))) {
      const [turn, since] = text.split(' ').map(Number);
      const group = name === '' ? null : name;
      turns.push({
        queue,
        group,
        ahead: (turn ?? 0) - Number(round),
        since: since ?? 0,
        waits: group === null || standing.has(name),
      });
    }
  }
  return turns;
}

async function readEdges(look: Redis, prefix: string): Promise<Contents['edges']> {
  const states = { o: 'open', d: 'done', f: 'failed' } as const;
  const edges: Contents['edges'][number][] = [];
  for (const key of (await look.keys('*')).filter((each) => each.startsWith(`${prefix}edges:`))) {
    const childId = key.slice(`${prefix}edges:`.length);
    for (const [parentId, letter] of Object.entries(await look.hgetall(key)))
      edges.push({ parentId, childId, state: states[letter as keyof typeof states] });
  }
  return edges;
}

/** A set of slots is named by the digest of its limit: one that no task and no queue has shows as just that. */
async function readSlots(look: Redis, prefix: string, known: readonly string[]): Promise<Contents['slots']> {
  const names = new Map(known.map((name) => [createHash('sha1').update(name).digest('hex'), name]));
  const slots: { name: string; taskId: string }[] = [];
  for (const key of (await look.keys('*')).filter((each) => each.startsWith(`${prefix}slots:`))) {
    const digest = key.slice(`${prefix}slots:`.length);
    for (const taskId of await look.smembers(key)) slots.push({ name: names.get(digest) ?? digest, taskId });
  }
  return slots;
}
