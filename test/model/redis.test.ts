/** Redis against the model. */

import { redisStores } from '../conformance/redis-store.ts';
import { onRedis } from '../support/redis-tests.ts';
import { runModel } from './model-runs.ts';

await onRedis((address) => runModel('Redis', redisStores(address), { runs: 40, commandsMax: 60 }));
