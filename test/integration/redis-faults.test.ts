/** Redis behind a bad network: what the seam promises holds. */

import { randomBytes } from 'node:crypto';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { startAt } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { declareLostReplies } from './lost-replies.ts';

await onOwnRedis((server) => {
  declareLostReplies('Redis', async () => {
    const proxy = await startFaultProxy({ target: { path: server.path }, protocol: 'redis' });
    const create = (address: { readonly url: string } | { readonly path: string }) =>
      createRedisBroker({ address, namespace: randomBytes(6).toString('hex'), now: () => startAt });
    const proxied = create({ url: `redis://127.0.0.1:${proxy.port}` });
    const direct = create({ path: server.path });
    await Promise.all([proxied.open(), direct.open()]);
    return {
      proxy,
      proxied,
      direct,
      request: /^EVALSHA /i,
      dispose: async () => {
        await Promise.all([proxied.close(), direct.close()]);
        await proxy.close();
      },
    };
  });
});
