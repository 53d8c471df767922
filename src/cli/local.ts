/** The tasks of the project in this very process: to validate an input, or to run one task here. */

import type { TaskDefinition } from '../core/definition.ts';
import type { Call } from './command.ts';
import { packageVersion } from './commands/version.ts';
import { composeWorker, loadTasks, shareStore } from './compose.ts';
import { showError } from './problem.ts';
import type { StoreSession } from './session.ts';

export interface LocalTasks {
  readonly definitions: readonly TaskDefinition[];
  /** Starts a worker with one slot for the queue. */
  startWorker(queue: string): Promise<{ stop(): Promise<void> }>;
}

/** Loads the project's tasks; what cannot be loaded is told and left out. */
export async function loadLocalTasks(call: Call, session: StoreSession): Promise<LocalTasks> {
  const tasks = await loadTasks(session.config);
  for (const failure of tasks.failures) showError(call.stderr, call.output.notes, call.output.format, failure, false);
  return {
    definitions: tasks.definitions,
    async startWorker(queue) {
      shareStore(session.store, null);
      const { worker } = composeWorker({
        config: session.config,
        store: session.store,
        tasks,
        version: packageVersion(),
        services: 'auto',
        queues: { [queue]: 1 },
      });
      worker.start();
      return worker;
    },
  };
}
