/** A process of its own on a SQLite store: `open` migrates it and leaves; `enqueue` puts tasks in when told over IPC. */

import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';

const [role, file = ''] = process.argv.slice(2);
const store = createSqliteStore({ file });
await store.broker.open();
if (role === 'open') {
  const { incarnation } = await store.broker.info();
  await store.close();
  process.stdout.write(incarnation);
} else {
  const ids = createIds(systemClock, systemChance);
  process.on('message', async (message) => {
    if (message === 'end') {
      await store.close();
      process.disconnect();
      return;
    }
    const id = ids.next();
    await store.broker.enqueue([
      {
        id,
        name: 'a',
        queue: 'watched',
        payload: '{}',
        schemaVersion: null,
        priority: 5,
        delayMs: 0,
        at: null,
        startWithinMs: null,
        expiresInMs: null,
        timeoutMs: null,
        policy: '{}',
        keepMs: 1_000,
        strictCancel: false,
        group: null,
        limits: [],
        key: null,
        keyForMs: null,
        ifExists: 'return',
        dependsOn: [],
        blocks: [],
        flowId: null,
        tags: [],
        traceparent: null,
        firedBy: null,
      },
    ]);
    process.send?.({ id, at: performance.timeOrigin + performance.now() });
  });
  process.send?.('ready');
}
