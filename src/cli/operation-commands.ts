/** Which command asks for each operation, and why some have none: a test holds this against the registry. */

import type { OperationName } from '../operations/registry.ts';

/** For those whose command has another name than the operation. */
export const commandOf: Partial<Readonly<Record<OperationName, string>>> = {
  'task.enqueue': 'task.run',
  'task.explain': 'explain',
  'error.mark': 'error.mute',
  'config.get': 'config.list',
  'system.health': 'server.status',
};

/** Those that no command asks for, beside the protocol of workers over HTTP, which is all that has the scope `work`. */
export const withoutCommand: Partial<Readonly<Record<OperationName, string>>> = {
  'task.enqueue-many': 'programs send streams of tasks; a shell has a loop, or curl with the file',
  'task.cancel-many': 'taskflow task cancel takes many ids',
  'task.retry-many': 'taskflow task retry takes many ids',
  'task.remove-many': 'taskflow task remove takes many ids',
  'task.update-many': 'taskflow task update takes many ids',
  'task.result-many': 'programs wait for many at once; taskflow task get takes many ids',
  'task.result': 'taskflow task run waits, and taskflow task get shows the result',
  'operation.create': 'by filter from the pages and the API; at the command line by queue purge and error retry',
  'operation.remove-tasks': 'by filter from the pages and the API; at the command line by queue purge',
  'queue.scale': 'asked by autoscalers over HTTP',
  'session.list': 'sessions are of browsers: people see theirs there',
  'session.end': 'sessions are of browsers: people end theirs there',
  'live.follow': 'a stream over HTTP, from programs with followLive',
  'worker.enqueue': 'the protocol of workers over HTTP, for their tasks',
  'system.counts': 'of the pages; taskflow queue list shows the same by queue',
  'system.activity': 'of the pages; taskflow stats timeline shows the same by minute',
  'system.signs': 'of the pages: what needs attention',
  'system.ready': 'a probe, /readyz',
  'system.metrics': 'a scrape, /metrics',
};
