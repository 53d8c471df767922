/** The Redis adapter against the suite: what it can do, and that it refuses what it cannot. */

import { onRedis } from '../support/redis-tests.ts';
import { conformWithout } from './conform.ts';
import { conformOutbox } from './outbox.ts';
import { redisLacks } from './redis-lacks.ts';
import { redisStores } from './redis-store.ts';

await onRedis((address) => {
  conformOutbox('Redis', redisStores(address));
  return conformWithout(redisLacks, 'Redis', redisStores(address));
});
