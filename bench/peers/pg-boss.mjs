// pg-boss: insert by 1,000, three loops that fetch 500 and complete them in one call each; finished jobs stay in its table.

import { PgBoss } from 'pg-boss';

export function createSystem() {
  let boss;
  return {
    bulk: { batch: 1_000, lanes: 4 },
    // It looks every half second at best.
    isTold: false,
    open: async (url) => {
      boss = new PgBoss({ connectionString: url, max: 20, schedule: false, supervise: false });
      boss.on('error', (error) => console.error(error));
      await boss.start();
      await boss.createQueue('bench');
    },
    enqueueMany: (inputs) =>
      boss.insert(
        'bench',
        inputs.map((data) => ({ data })),
      ),
    enqueue: (data) => boss.send('bench', data),
    work: async (onTask) => {
      const loop = async (left) => {
        while (left.count > 0) {
          const jobs = await boss.fetch('bench', { batchSize: 500 });
          if (jobs.length === 0) continue;
          for (const _job of jobs) onTask();
          await boss.complete(
            'bench',
            jobs.map(({ id }) => id),
          );
          left.count -= jobs.length;
        }
      };
      return {
        settled: async (count) => {
          const left = { count };
          await Promise.all([loop(left), loop(left), loop(left)]);
        },
        stop: async () => {},
      };
    },
    close: () => boss.stop(),
  };
}
