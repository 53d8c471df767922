// bee-queue: saveAll by 1,000, process with 100 jobs at once, no events, no stored jobs, finished jobs removed (no history).

import Queue from 'bee-queue';

export function createSystem() {
  let settings;
  let queue;
  return {
    bulk: { batch: 1_000, lanes: 4 },
    isTold: true,
    open: async (url) => {
      settings = {
        redis: { host: '127.0.0.1', port: Number(new URL(url).port) },
        removeOnSuccess: true,
        removeOnFailure: true,
        getEvents: false,
        sendEvents: false,
        storeJobs: false,
      };
      queue = new Queue('bench', { ...settings, isWorker: false });
      await queue.ready();
    },
    enqueueMany: (inputs) => queue.saveAll(inputs.map((data) => queue.createJob(data))),
    enqueue: (data) => queue.createJob(data).save(),
    work: async (onTask) => {
      let done = 0;
      let check = () => {};
      const worker = new Queue('bench', settings);
      worker.on('succeeded', () => {
        done += 1;
        check();
      });
      await worker.ready();
      worker.process(100, async () => onTask());
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
