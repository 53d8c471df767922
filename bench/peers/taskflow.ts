/** TaskFlow as a program uses it: `enqueueMany`, `enqueue`, and a worker of 100 slots. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';
import type { Broker } from '../../src/broker/broker.ts';
import { createLiveStore } from '../../src/broker/cluster-store.ts';
import { connect } from '../../src/broker/connect.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { makeClient } from '../../src/client/client.ts';
import { definitionBrand, type TaskDefinition } from '../../src/core/definition.ts';
import { limits } from '../../src/core/limits.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { task } from '../../src/index.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { trimAll } from '../samples.ts';
import type { Input, System } from './system.ts';

const schema = z.object({ to: z.string(), n: z.number(), s: z.string() });

const namespace = 'bench';

/**
 * `plain`: queue, priority, delay, timeout, retries. `rules`: a key, one of a hundred groups and a limit on each task too, one that is never
 * full: a worker of 100 slots has up to 3,000 tasks at hand, running, ahead and being settled. On Redis the
 * services of a server run beside it and record into SQLite, but for `unrecorded`: plain tasks whose events wait for a recorder.
 */
export function createSystem(variant: string): System {
  let recorder: ChildProcess | null = null;
  let store: Store;
  let client: ReturnType<typeof makeClient>;
  let onStart = (): void => {};
  let serial = 0;
  const noop = defineNoop(variant, () => onStart());
  const numbered = (input: Input): Input =>
    variant !== 'rules' ? input : { ...input, to: `c${serial % 100}@b.c`, n: serial++ };
  return {
    bulk: { batch: 1_000, lanes: 4 },
    isTold: true,
    open: async (url) => {
      store = openStore(url);
      await store.broker.open();
      client = makeClient({ open: async () => store });
    },
    serve: async (url) => {
      if (store.broker.outbox !== undefined && variant !== 'unrecorded') recorder = await startRecorder(url);
    },
    enqueueMany: (inputs) => client.enqueueMany(noop, variant !== 'rules' ? inputs : inputs.map(numbered)),
    enqueue: (input) => client.enqueue(noop, numbered(input)),
    trim: () => (recorder === null ? trimAll(store.broker) : untilRecorded(store.broker)),
    recorderUs: async () => {
      if (recorder === null) return null;
      recorder.send('cpu');
      const [us] = await once(recorder, 'message');
      return us as number;
    },
    work: async (onTask) => {
      onStart = onTask;
      let succeeded = 0;
      let check = (): void => {};
      const worker = createWorker({ store, definitions: [noop], concurrency: 100, services: 'never' });
      worker.on('succeeded', () => {
        succeeded += 1;
        check();
      });
      worker.start();
      return {
        settled: (count) =>
          new Promise((resolve) => {
            check = () => {
              if (succeeded >= count) resolve();
            };
            check();
          }),
        stop: () => worker.stop(),
      };
    },
    close: async () => {
      recorder?.disconnect();
      await store.close();
    },
  };
}

function openStore(url: string): Store {
  if (url.startsWith('postgres:')) return connect(url);
  return createLiveStore(createRedisBroker({ address: { url }, namespace }));
}

async function startRecorder(url: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'recorder.ts'), [url, namespace]);
  await once(child, 'message');
  return child;
}

/** The last event stays in the outbox. */
async function untilRecorded({ outbox }: Broker): Promise<void> {
  for (let left = Infinity; left > limits.batchMax; await sleep(systemClock, 20)) {
    const state = await outbox?.state();
    left = state === undefined ? 0 : state.lastSeq - state.trimmedSeq;
  }
}

function defineNoop(variant: string, run: () => void): TaskDefinition {
  const rules = variant !== 'rules' ? {} : { key: 'bench:{n}', group: '{to}', concurrency: { limit: 10_000 } };
  const noop = task('noop', {
    input: schema,
    ...rules,
    async run() {
      run();
      return { ok: true };
    },
  });
  return noop[definitionBrand];
}
