/** Stores tasks under a span, for whoever has made them already. */

import type { NewTask } from '../core/task.ts';
import { isTracing, traceSend } from '../telemetry/tracing.ts';

/** What `send` stores is `tasks` with the context of the span; those that were given one keep it, and one alone is the parent. */
export function sendTraced<Result>(
  tasks: readonly NewTask[],
  send: (tasks: readonly NewTask[]) => Promise<Result>,
): Promise<Result> {
  const [first] = tasks;
  if (first === undefined || !isTracing()) return send(tasks);
  const isOne = tasks.length === 1;
  const sent = { ...first, ...(isOne ? { taskId: first.id } : { count: tasks.length }) };
  return traceSend(sent, first.traceparent, (traceparent) =>
    traceparent === first.traceparent
      ? send(tasks)
      : send(tasks.map((task) => (isOne || task.traceparent === first.traceparent ? { ...task, traceparent } : task))),
  );
}
