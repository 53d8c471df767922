// The life of a task in sentences, from its row, its ended runs and the notes of people.

import { expect, test } from 'vitest';
import { sampleId, storedTask } from '../../test/conformance/samples.ts';
import type { Attempt } from '../core/events.ts';
import type { Task } from '../core/task.ts';
import { timelineOf } from './timeline.ts';

const at = 1_000;
const queued = storedTask(sampleId(1), { state: 'queued', createdAt: at, dueAt: at });
const run: Attempt = {
  epoch: 1,
  attempt: 1,
  workerId: 'w-1',
  claimedAt: at + 10,
  startedAt: at + 20,
  endedAt: at + 50,
  to: 'queued',
  reason: null,
  error: null,
};

function told(
  task: Partial<Task>,
  runs: readonly Partial<Attempt>[] = [],
  notes: Parameters<typeof timelineOf>[2] = [],
): string[] {
  const attempts = runs.map((each) => ({ ...run, ...each }));
  return timelineOf({ ...queued, ...task }, attempts, notes).map((entry) => `${entry.at - at} ${entry.text}`);
}

test.each<[what: string, told: string[], expected: string[]]>([
  ['a task that waits', told({}), ['0 Enqueued.']],
  [
    'one cancelled before its time',
    told({ state: 'cancelled', reason: 'user', dueAt: at + 500, finishedAt: at + 100 }),
    ['0 Enqueued.', '100 Cancelled on request.'],
  ],
  ['one for later', told({ state: 'scheduled', dueAt: at + 500 }), ['0 Enqueued.', '500 Due.']],
  [
    'one that runs',
    told({
      state: 'running',
      epoch: 1,
      attempt: 1,
      workerId: 'w-1',
      claimedAt: at + 1_500,
      startedAt: at + 1_600,
      cancelRequestedAt: at + 1_700,
      cancelReason: 'by ada: wrong\nlist',
    }),
    [
      '0 Enqueued.',
      '1500 Taken by w-1 after waiting 1.5 s.',
      '1600 Attempt 1 began.',
      '1700 Its cancellation was requested by ada: wrong.',
    ],
  ],
  [
    'one whose process ended',
    told({ cancelRequestedAt: at + 60, cancelReason: 'It hung.' }, [
      {
        reason: 'crashed',
        error: { name: 'Error', message: 'It called process.exit(7).', stack: null, fingerprint: 'f' },
      },
    ]),
    [
      '0 Enqueued.',
      '10 Taken by w-1.',
      '20 Attempt 1 began.',
      '50 Attempt 1 ended its process: It called process.exit(7); it is queued again.',
      '60 Its cancellation was requested It hung.',
    ],
  ],
  [
    'one that is to be tried again',
    told({ state: 'scheduled', attempt: 1, epoch: 1, dueAt: at + 900 }, [{ to: 'scheduled', reason: 'timeout' }]),
    [
      '0 Enqueued.',
      '10 Taken by w-1.',
      '20 Attempt 1 began.',
      '50 Attempt 1 ran out of time; it waits to be tried again.',
      '900 To be tried again.',
    ],
  ],
  [
    'a lost lease, and a run that never began',
    told({ epoch: 2, dueAt: at + 50 }, [
      { reason: 'lease_lost' },
      { epoch: 2, startedAt: null, workerId: null, claimedAt: at + 60, endedAt: at + 70, reason: 'released' },
    ]),
    [
      '0 Enqueued.',
      '10 Taken by w-1.',
      '20 Attempt 1 began.',
      '50 Attempt 1 lost its lease: w-1 fell silent; it is queued again.',
      '60 Taken by a worker.',
      '70 Handed back by its worker; it is queued again.',
    ],
  ],
  [
    'the last failure only once',
    told(
      {
        state: 'failed',
        reason: 'error',
        epoch: 1,
        attempt: 1,
        workerId: 'w-1',
        claimedAt: at + 10,
        startedAt: at + 20,
        finishedAt: at + 50,
        pruneAt: at + 99,
        error: { name: 'Error', message: 'boom', stack: null, fingerprint: 'f' },
      },
      [{ to: 'failed', reason: 'error' }],
    ),
    ['0 Enqueued.', '10 Taken by w-1.', '20 Attempt 1 began.', '50 Failed at attempt 1 of 5: boom'],
  ],
  [
    'what people did',
    told({}, [], [{ at: at + 5, kind: 'edited', text: 'Edited by hand: priority 1' }]),
    ['0 Enqueued.', '5 Edited by hand: priority 1.'],
  ],
])('tells %s', (_what, lines, expected) => {
  expect(lines).toEqual(expected);
});

test.each([
  'timeout',
  'lease_lost',
  'crash_loop',
  'snooze',
  'released',
  'unknown_task',
  'user',
  'expired',
  'error',
  null,
] as const)('has a sentence for a run that ended with %s', (reason) => {
  const lines = told({ epoch: 1 }, [
    { reason, error: { name: 'Error', message: 'x'.repeat(5_000), stack: null, fingerprint: 'f' } },
  ]);
  expect(lines.at(-1)).toMatch(/^50 [A-Z].{5,260}; it is queued again\.$/);
});
