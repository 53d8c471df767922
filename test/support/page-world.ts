/** A store with something for every part of the pages: tasks in each state, errors with stacks, logs, progress, a long input. */

import type { LogLine, TaskError } from '../../src/core/task.ts';
import type { Store } from '../../src/history/history.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  settlement,
  wait,
} from '../conformance/samples.ts';

export interface PageWorld {
  readonly succeeded: string;
  readonly failed: string;
  readonly running: string;
  readonly queued: string;
  readonly retrying: string;
}

const stack = [
  'Error: connection refused',
  'at send (/app/src/mail.ts:3:1)',
  'at retry (/app/node_modules/p-retry/index.js:10:2)',
  'at process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
].join('\n');

/** `text` is written wherever somebody may write. */
export async function fillPages(
  { store: { broker } }: { readonly store: Pick<Store, 'broker'> },
  text = 'plain',
): Promise<PageWorld> {
  const ids = [1, 2, 3, 4, 5].map((number) => sampleId(number + 700));
  const [succeeded = '', failed = '', running = '', queued = '', retrying = ''] = ids;
  const payload = JSON.stringify({ [text]: text, list: Array.from({ length: 60 }, (_, index) => ({ index, text })) });
  const words = { payload, key: null, tags: [text].filter((tag) => tag.length <= 100), group: text.slice(0, 100) };
  const queue = 'mail';
  await broker.enqueue([
    ...[succeeded, failed, running, retrying].map((taskId) => newTask(taskId, { ...words, queue, name: 'mail.send' })),
    newTask(queued, { ...words, queue: 'lonely', name: 'mail.late', key: text.slice(0, 100) }),
  ]);
  const claimed = await broker.claim(claimRequest('c'.repeat(32), { queues: [{ name: queue, limit: 10 }] }));
  const leaseOf = (taskId: string) => claimed.find(({ task }) => task.id === taskId)?.lease ?? 'missing';
  const error: TaskError = { name: 'Error', message: text, stack: `${text}\n${stack}`, fingerprint: 'f1f2f3' };
  const at = Date.UTC(2026, 10, 23, 9);
  const logs: readonly LogLine[] = (['info', 'warn', 'error'] as const).map((level) => ({
    at,
    level,
    message: text,
    fields: JSON.stringify({ text }),
  }));
  const beats = claimed.map(({ lease }) =>
    beat(lease, {
      ranMs: 5,
      progress: { done: 1, total: 2, note: text },
      checkpoints: [{ name: 'step', value: payload }],
    }),
  );
  await broker.heartbeat(heartbeatRequest(beats));
  await broker.settle([
    settlement(succeeded, leaseOf(succeeded), finish('succeeded', { result: payload }), { logs }),
    settlement(failed, leaseOf(failed), finish('failed', { error }), { logs }),
    settlement(retrying, leaseOf(retrying), { ...wait('scheduled'), error } as ReturnType<typeof wait>, { logs }),
  ]);
  await broker.configure('queue', 'mail', { pause: { by: text, reason: text } });
  return { succeeded, failed, running, queued, retrying };
}
