/** Redis against the model. */

import { redisLacks } from '../conformance/redis-lacks.ts';
import { redisStores } from '../conformance/redis-store.ts';
import { onRedis } from '../support/redis-tests.ts';
import { runModel } from './model-runs.ts';

await onRedis((address) => runModel('Redis', redisStores(address), { runs: 40, commandsMax: 60, lacks: redisLacks }));
