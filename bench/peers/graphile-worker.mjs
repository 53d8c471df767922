// graphile-worker: addJobs by 1,000, a local queue of 500, completions in batches; its finished jobs are deleted (no history).

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';

const logger = new Logger(() => () => {});

export function createSystem() {
  let pool;
  let utils;
  return {
    bulk: { batch: 1_000, lanes: 4 },
    isTold: true,
    open: async (url) => {
      pool = new pg.Pool({ connectionString: url, max: 20 });
      pool.on('error', console.error).on('connect', (client) => client.on('error', console.error));
      utils = await makeWorkerUtils({ pgPool: pool, logger });
      await utils.migrate();
    },
    enqueueMany: (inputs) => utils.addJobs(inputs.map((payload) => ({ identifier: 'noop', payload }))),
    enqueue: (payload) => utils.addJob('noop', payload),
    work: async (onTask) => {
      let begun = 0;
      let check = () => {};
      const runner = await run({
        pgPool: pool,
        logger,
        noHandleSignals: true,
        taskList: {
          noop: async () => {
            onTask();
            begun += 1;
            check();
          },
        },
        preset: {
          worker: {
            concurrentJobs: 100,
            maxPoolSize: 20,
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
      });
      const untilEmpty = async () => {
        for (;;) {
          const { rows } = await pool.query('select 1 from graphile_worker._private_jobs limit 1');
          if (rows.length === 0) return;
        }
      };
      return {
        settled: (count) =>
          new Promise((resolve) => {
            check = () => begun >= count && resolve();
            check();
          }).then(untilEmpty),
        stop: () => runner.stop(),
      };
    },
    close: () => utils.release(),
  };
}
