// BullMQ: addBulk by 1,000, one Worker with 100 jobs at once, finished jobs removed at once (they keep no history then).

import { Queue, Worker } from 'bullmq';

export function createSystem() {
  const options = { removeOnComplete: true, removeOnFail: true };
  let connection;
  let queue;
  return {
    bulk: { batch: 1_000, lanes: 4 },
    isTold: true,
    open: async (url) => {
      connection = { host: '127.0.0.1', port: Number(new URL(url).port), maxRetriesPerRequest: null };
      queue = new Queue('bench', { connection });
      await queue.waitUntilReady();
    },
    enqueueMany: (inputs) => queue.addBulk(inputs.map((data) => ({ name: 'noop', data, opts: options }))),
    enqueue: (data) => queue.add('noop', data, options),
    work: async (onTask) => {
      let done = 0;
      let check = () => {};
      const worker = new Worker('bench', async () => onTask(), { connection, concurrency: 100 });
      worker.on('completed', () => {
        done += 1;
        check();
      });
      await worker.waitUntilReady();
      return {
        settled: (count) =>
          new Promise((resolve) => {
            check = () => done >= count && resolve();
            check();
          }),
        stop: () => worker.close(),
      };
    },
    close: () => queue.close(),
  };
}
