/** What is asked of a server before it is used: whether it is one, the right one, and good enough. */

import type { Redis } from 'ioredis';
import { taskFlowError } from '../../core/errors.ts';
import { type Durability, refuseWeak } from '../durability.ts';
import { durabilityOf, hintFor, settingNames } from './durability.ts';
import { isForbidden } from './errors.ts';
import type { RedisAddress } from './url.ts';

/** Before, a script could not say what it does, nor messages stay within a shard. */
const versionMin = 7;

/** Throws STORE_* for a server that will not do, with the next thing to do. */
export async function greet(client: Redis, address: RedisAddress): Promise<Durability> {
  await selectDatabase(client, address);
  // First: an old one would not know how the rest is asked.
  refuseOthers(await readPairs(client.call('HELLO')), address);
  const [settings, info] = await Promise.all([
    readPairs(client.call('CONFIG', 'GET', ...settingNames)),
    client.call('INFO', 'replication', 'persistence', 'memory').then(readInfo, allowed(new Map<string, string>())),
  ]);
  const durability = durabilityOf({ settings, info, mayFailOver: address.sentinel !== null });
  refuseWeak(durability, { masked: address.masked, wanted: address.durability, hintFor });
  return durability;
}

/** What the URL names. By itself the client would go on in database 0 where there is no such one. */
export async function selectDatabase(client: Redis, { db, masked }: RedisAddress): Promise<void> {
  if (db === 0) return;
  try {
    await client.select(db);
  } catch (error) {
    if (!(error instanceof Error) || !/^ERR (DB index|SELECT)/.test(error.message)) throw error;
    const problem = `${masked}: there is no database ${db}: ${error.message}`;
    const hint =
      'Take a smaller number: redis-cli config get databases tells how many there are. A cluster has only 0.';
    throw taskFlowError('STORE_UNREACHABLE', { problem }, { cause: error, hint });
  }
}

/** From the greeting, which everybody may ask for. */
function refuseOthers(about: ReadonlyMap<string, string>, { masked }: RedisAddress): void {
  const version = about.get('version') ?? 'of before 6';
  const [server, mode, role] = [about.get('server') ?? 'redis', about.get('mode'), about.get('role')];
  if (mode === 'sentinel') {
    const hint = 'Ask it for its master: redis+sentinel://host:26379/mymaster';
    throw taskFlowError('STORE_UNREACHABLE', { problem: `${masked} is a sentinel` }, { hint });
  }
  if (!(Number.parseInt(version, 10) >= versionMin)) {
    const problem = `${masked} is ${server} ${version}, and this program needs ${versionMin}.0`;
    throw taskFlowError('STORE_UNREACHABLE', { problem }, { hint: 'Update the server: Redis 7 or later, or Valkey.' });
  }
  if (role !== undefined && role !== 'master') {
    const hint = 'Give the URL of its master, or of the sentinels: redis+sentinel://host:26379/mymaster';
    throw taskFlowError('STORE_READ_ONLY', { file: masked, problem: 'the server is a replica' }, { hint });
  }
}

/** Empty where it may not be asked. Taken for forbidden, an outage would open a store as weaker than it is: that is thrown. */
function allowed<Value>(otherwise: Value): (error: unknown) => Value {
  return (error) => {
    if (isForbidden(error)) return otherwise;
    throw error;
  };
}

/** Names and values, which come one after the other. */
async function readPairs(answer: Promise<unknown>): Promise<ReadonlyMap<string, string>> {
  const list = (await answer.catch(allowed([]))) as readonly unknown[];
  const pairs = new Map<string, string>();
  for (let at = 0; at + 1 < list.length; at += 2) pairs.set(String(list[at]), String(list[at + 1]));
  return pairs;
}

function readInfo(text: unknown): ReadonlyMap<string, string> {
  return new Map(
    String(text)
      .split('\r\n')
      .flatMap((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
      }),
  );
}
