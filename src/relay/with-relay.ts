/** A broker in no database that takes part in transactions of its record's: the two halves and the relay between them. */

import type { Broker } from '../broker/broker.ts';
import { TaskFlowError } from '../core/errors.ts';
import type { Relay } from '../core/relay.ts';
import { createRelay, type RelayOptions } from './relay.ts';
import { isWaiting } from './rows.ts';

export interface WithRelayOptions extends Omit<RelayOptions, 'broker'> {
  readonly broker: Broker;
}

/**
 * The same broker with `transactions`, and the relay that the services of the store have to push. A task of a committed transaction
 * exists for whoever asks for it by its id: it is pushed first.
 *
 * @example
 * const join = createSqliteJoin({ file, now });
 * const { broker, relay } = withRelay({ broker: redis, driver: record.driver, join, clock });
 */
export function withRelay({ broker, ...options }: WithRelayOptions): {
  readonly broker: Broker;
  readonly relay: Relay;
} {
  const { relay, transactions } = createRelay({ broker, ...options });

  /** What is not there and waits for the relay is pushed, and asked for again. */
  const asking = async <Answer>(
    taskIds: readonly string[],
    ask: (taskIds: readonly string[], isFirst: boolean) => Promise<readonly Answer[]>,
    isMissing: (answer: Answer) => boolean,
  ): Promise<readonly Answer[]> => {
    const answers = await ask(taskIds, true);
    const missing = taskIds.filter((_taskId, index) => isMissing(answers[index] as Answer));
    if (!(await isWaiting(options.driver, missing))) return answers;
    await relay.push();
    const late = await ask(missing, false);
    const found = new Map(missing.map((taskId, index) => [taskId, late[index]]));
    return taskIds.map((taskId, index) => found.get(taskId) ?? (answers[index] as Answer));
  };

  return {
    relay,
    broker: {
      ...broker,
      transactions,
      getTasks: (taskIds) => asking(taskIds, broker.getTasks, (task) => task === null),
      cancel: (request) =>
        asking(
          request.taskIds,
          (taskIds, isFirst) => broker.cancel(isFirst ? request : { taskIds, reason: request.reason }),
          ({ outcome }) => outcome === 'unknown',
        ),
      enqueue: async (tasks) => {
        try {
          return await broker.enqueue(tasks);
        } catch (error) {
          if (!(error instanceof TaskFlowError && error.code === 'INVALID_FLOW')) throw error;
          const parents = tasks.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId));
          if (!(await isWaiting(options.driver, parents))) throw error;
          await relay.push();
          return await broker.enqueue(tasks);
        }
      },
    },
  };
}
