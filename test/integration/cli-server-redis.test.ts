/** Runs every command through a server and straight on Redis with its record: they say the same. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe } from 'vitest';
import { declareParity } from '../support/cli-parity.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

await onOwnRedis(({ url }) => {
  describe('each command says the same on Redis', () => {
    declareParity((folder) => ({
      broker: `${url}?durability=any`,
      store: `sqlite:${join(folder, 'record.db')}`,
      namespace: randomBytes(8).toString('hex'),
    }));
  });
});
