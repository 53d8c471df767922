/** The Redis adapter against the suite. */

import { onRedis } from '../support/redis-tests.ts';
import { conform } from './conform.ts';
import { conformOutbox } from './outbox.ts';
import { redisStores } from './redis-store.ts';

await onRedis((address) => {
  conform('Redis', redisStores(address));
  conformOutbox('Redis', redisStores(address));
});
