/** Redis under simulation: the real adapter against a real server, which holds the world up with each call. */

import { Redis } from 'ioredis';
import type { Broker } from '../../src/broker/broker.ts';
import { readEvent } from '../../src/broker/redis/events.ts';
import { recountRedis } from '../../src/broker/redis/recount.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { unlimited } from '../conformance/recorded.ts';
import { readContents } from '../conformance/redis-store.ts';
import { holding, type OutsideStore, type SimStore } from './sim-store.ts';
import type { Timeline } from './timeline.ts';

let worlds = 0;

/** Stores on this server, one for each world. */
export function redisWorlds(address: RedisOptions['address']): OutsideStore {
  return {
    name: 'redis',
    async open({ clock, chance, timeline }) {
      worlds += 1;
      const namespace = `world:${process.pid}:${worlds}`;
      const broker = createRedisBroker({
        address,
        namespace,
        now: clock.now,
        chance,
        outboxLimits: { ...unlimited, packMin: 2, bareMin: 3 },
      });
      await broker.open();
      const look = 'url' in address ? new Redis(address.url) : new Redis({ path: address.path });
      return simStore(broker, look, `{${namespace}}:`, timeline);
    },
  };
}

function simStore(broker: Broker, look: Redis, prefix: string, timeline: Timeline): SimStore {
  let read = 0;

  async function eventsAfter(seq: number): Promise<readonly BatchEvent[]> {
    const found = await look.xrange(`${prefix}events`, `(${seq}-0`, '+');
    const events = found.map(([id, fields]) => readEvent(id, fields));
    read = events.at(-1)?.seq ?? read;
    return events;
  }

  /** As if a recorder kept up: what waits to be recorded is not pruned. */
  async function prune(limit: number): Promise<number> {
    await broker.outbox?.trim(read);
    return broker.prune(limit);
  }

  return {
    broker: holding({ ...broker, prune }, timeline),
    state: null,
    driver: null,
    recount: () => recountRedis(look, prefix, broker),
    events: (seq) => timeline.hold(eventsAfter(seq)),
    taskIds: async () => (await look.hkeys(`${prefix}tasks`)).sort(),
    counts: async () => (await readContents(look, prefix)).counts,
    held: async () => (await look.hvals(`${prefix}openClaims`)).reduce((sum, count) => sum + Number(count), 0),
    heldKeys: async () =>
      (await readContents(look, prefix)).keys
        .filter(({ until }) => until === null)
        .map(({ key, taskId }) => ({ key, taskId })),
    close: async () => {
      await broker.close();
      await look.flushdb();
      look.disconnect();
    },
  };
}
