/** A schedule definition with everything filled in. */

import type { ScheduleDefinition } from '../../src/core/schedule.ts';

export function scheduleDefinition(given: Partial<ScheduleDefinition> = {}): ScheduleDefinition {
  return {
    timing: { everyMs: 60_000 },
    jitterMs: 0,
    overlap: 'allow',
    catchUp: { kind: 'none' },
    input: 'stored',
    task: {
      name: 'report.build',
      queue: 'reports',
      payload: '{"kind":"daily"}',
      schemaVersion: null,
      priority: 5,
      startWithinMs: null,
      expiresInMs: null,
      timeoutMs: null,
      policy: '{}',
      keepMs: 1_000,
      strictCancel: false,
      group: null,
      limits: [],
      key: null,
      keyForMs: null,
      ifExists: 'return',
      tags: [],
      traceparent: null,
    },
    ...given,
  };
}
