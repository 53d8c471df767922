/** The way to the server: clients of the library that do what they are told and nothing else, to where the URL or a cluster says. */

import { Redis } from 'ioredis';
import { limits } from '../../core/limits.ts';
import { movedTo } from './errors.ts';
import { translateRefusal } from './refusals.ts';
import { type Host, placeOf, type RedisAddress, readRedisUrl } from './url.ts';

/** Where a server is. A URL or a socket alone is for tests and benches: any durability will do there. */
export type Address = RedisAddress | { readonly url: string } | { readonly path: string };

export interface Way {
  /** A client that is not connected yet. Throws errors of Node for certificates that cannot be read. */
  create(): Redis;
  /** Whether the error says that another node of the cluster has the namespace: then the next client goes there. */
  follow(error: unknown): boolean;
  /** The error, told to people. */
  explain(error: unknown): unknown;
}

/**
 * A call that fails was not done, was done, or will be: as with any store, it may be sent again. The client itself never
 * does so, keeps nothing for later, and does not connect again: the loops above decide, and link.ts.
 */
const neverTwice = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
  disableClientInfo: true,
  connectionName: 'taskflow',
  retryStrategy: () => null,
  connectTimeout: limits.redisCallMs,
  // A connection that is given up is gone, whether its other end says so or not.
  disconnectTimeout: 100,
} as const;

/** All of it, whatever form it was given in. Throws a sentence about what is wrong with a URL. */
export function addressOf(address: Address): RedisAddress {
  if ('masked' in address) return address;
  const url = 'url' in address ? address.url : `redis+unix://${address.path}`;
  return { ...readRedisUrl(url), durability: 'any' };
}

export function createWay(address: RedisAddress, namespace: string): Way {
  let node: Host | null = null;
  return {
    create: () => {
      const place = placeOf(node === null ? address : { ...address, hosts: [node] });
      const options = { ...place, ...neverTwice, replyMapping: 'legacy' as const };
      return new Redis(options);
    },
    follow: (error) => {
      // Back to the URL, too, when a node that had it is gone.
      node = movedTo(error, address.hosts[0]?.host ?? '');
      return node !== null;
    },
    explain: (error) => translateRefusal(error, address, namespace),
  };
}
