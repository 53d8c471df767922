/** What tasks share: limits, rates, pauses and keys. The judge accepts what was right and refuses what was not. */

import { expect, test } from 'vitest';
import type { Rule } from '../../src/checker/verdict.ts';
import {
  askedFor,
  call,
  claim,
  enqueue,
  eventful,
  eventsOf,
  good,
  historyOf,
  settle,
  storedTask,
} from './histories.ts';
import { judge, type RunHistory } from './run-history.ts';

const one = { limits: [{ name: 'l', max: 1, rate: null }] };
const rated = { limits: [{ name: 'l', max: null, rate: { count: 2, perMs: 1_000 } }] };

const edit = (taskId: string) => ({ kind: 'update', taskId, from: 'queued', to: 'queued' }) as const;

test.for<readonly [sentence: string, history: RunHistory]>([
  [
    'a limit that is full and then free',
    eventful(one, [enqueue('A'), enqueue('B'), claim('A'), settle('A'), claim('B'), settle('B')]),
  ],
  [
    'a rate that is kept',
    eventful(rated, [
      ...['A', 'B', 'C'].map((taskId) => enqueue(taskId)),
      claim('A'),
      claim('B'),
      claim('C', { at: 1_500 }),
      ...['A', 'B', 'C'].map((taskId) => settle(taskId)),
    ]),
  ],
  [
    'a maximum that was raised in time',
    eventful(
      one,
      [enqueue('A'), enqueue('B'), claim('A'), { kind: 'configure' }, claim('B'), settle('A'), settle('B')],
      { settings: [{ seq: 4, scope: 'limit', name: 'l', max: 2 }] },
    ),
  ],
  [
    'limits that an edit gave to an earlier life of the same id',
    eventful(
      {},
      [
        enqueue('A'),
        edit('A'),
        { kind: 'cancel', taskId: 'A', from: 'queued', to: 'cancelled', reason: 'user' },
        { kind: 'remove', taskId: 'A', from: 'cancelled', to: null, reason: 'user' },
        enqueue('B'),
        edit('B'),
        claim('B'),
        enqueue('A', { version: 1 }),
        claim('A', { version: 2 }),
        settle('A', { version: 3 }),
        settle('B'),
      ],
      {
        patches: ['A', 'B'].map((taskId) => ({ taskId, version: 2, delayMs: null, limits: one.limits })),
        tasks: [
          storedTask({ id: 'A', version: 3, epoch: 1, attempt: 1, result: null }),
          storedTask({ id: 'B', version: 4, epoch: 1, attempt: 1, result: null }),
        ],
        counts: [{ queue: 'default', name: 'a', view: 'succeeded', count: 2 }],
      },
    ),
  ],
  [
    'a key that goes from one task to the next',
    eventful({ key: 'k' }, [enqueue('A'), claim('A'), settle('A'), enqueue('B'), claim('B'), settle('B')]),
  ],
  [
    'a key that is let go by the claim',
    eventful({ key: 'k', ifExists: 'debounce' }, [
      enqueue('A'),
      claim('A'),
      enqueue('B'),
      settle('A'),
      claim('B'),
      settle('B'),
    ]),
  ],
])('accepts %s', ([, history]) => {
  expect(judge(history)).toMatchObject({ result: 'valid', violations: [], doubts: [] });
});

test.for<readonly [sentence: string, rule: Rule, history: RunHistory]>([
  ['two tasks under a limit of one', 'S11', eventful(one, [enqueue('A'), enqueue('B'), claim('A'), claim('B')])],
  [
    'a start under a maximum that was lowered',
    'S11',
    eventful(
      { limits: [{ name: 'l', max: 9, rate: null }] },
      [enqueue('A'), enqueue('B'), claim('A'), { kind: 'configure' }, claim('B')],
      { settings: [{ seq: 4, scope: 'limit', name: 'l', max: 1 }] },
    ),
  ],
  [
    'a third start where two may',
    'S12',
    eventful(rated, [enqueue('A'), enqueue('B'), enqueue('C'), claim('A'), claim('B'), claim('C', { at: 1_400 })]),
  ],
  [
    'a claim from a paused queue',
    'S16',
    historyOf({ settings: [{ seq: 2, scope: 'queue', name: 'default', paused: true }] }),
  ],
  [
    'a claim from a queue that was resumed later',
    'S16',
    historyOf({
      settings: [
        { seq: 1, scope: 'queue', name: 'default', paused: true },
        { seq: 3, scope: 'queue', name: 'default', paused: false },
      ],
    }),
  ],
  [
    'a claim from a paused group',
    'S16',
    askedFor({ group: 'g' }, { settings: [{ seq: 2, scope: 'group', name: 'g', paused: true }] }),
  ],
  [
    'a claim under a paused limit',
    'S16',
    askedFor(one, { settings: [{ seq: 2, scope: 'limit', name: 'l', paused: true }] }),
  ],
  [
    'a second task of a queue that has one slot',
    'S11',
    eventful({}, [enqueue('A'), enqueue('B'), claim('A'), { kind: 'configure' }, claim('B')], {
      settings: [{ seq: 4, scope: 'queue', name: 'default', max: 1 }],
    }),
  ],
  [
    'a start under a limit that an update gave it',
    'S11',
    eventful(
      one,
      [
        enqueue('A'),
        enqueue('B'),
        { kind: 'update', taskId: 'B', from: 'queued', to: 'queued' },
        claim('A'),
        claim('B'),
      ],
      {
        client: [
          ...(['invoke', 'ok'] as const).map((step) => call(step, one, { taskId: 'A', n: 0 })),
          ...(['invoke', 'ok'] as const).map((step) => call(step, {}, { taskId: 'B', n: 1 })),
        ],
        patches: [{ taskId: 'B', version: 2, delayMs: null, ...one }],
      },
    ),
  ],
  [
    'a refusal for a key that nobody holds',
    'S17',
    askedFor({ key: 'k' }, { refusals: [{ seq: 8, key: 'k', of: 'A', at: 9_000 }] }),
  ],
  [
    'a refusal for the key of another',
    'S17',
    askedFor({ key: 'k' }, { refusals: [{ seq: 3, key: 'k', of: 'B', at: 1_000 }] }),
  ],
  ['a second task with the same key', 'S17', eventful({ key: 'k' }, [enqueue('A'), enqueue('B'), claim('A')])],
  [
    'a retry that takes the key of another',
    'S17',
    eventful({ key: 'k' }, [
      enqueue('A'),
      claim('A'),
      settle('A'),
      enqueue('B'),
      { kind: 'retry', from: 'succeeded', to: 'queued' },
    ]),
  ],
  [
    'a key that is given away while it is kept',
    'S17',
    eventful({ key: 'k', keyForMs: 5_000 }, [
      enqueue('A'),
      claim('A'),
      settle('A'),
      { kind: 'retry', taskId: 'B', from: 'failed', to: 'queued' },
    ]),
  ],
  ['a key that is kept for a final task', 'S21', askedFor({ key: 'k' }, { heldKeys: [{ key: 'k', taskId: 'A' }] })],
  ['a key that was lost', 'S21', askedFor({ key: 'k' }, { events: eventsOf(good.slice(0, 3)), heldKeys: [] })],
])('refuses %s', ([, rule, history]) => {
  const verdict = judge(history);
  expect(verdict.result).toBe('invalid');
  expect(verdict.violations.map((violation) => violation.rule)).toContain(rule);
});

test('a claim that began as its queue was paused may end after it, where steps overlap', () => {
  const settings = [{ seq: 2, scope: 'queue', name: 'default', paused: true }] as const;
  const history = historyOf({ settings });
  expect(judge(history, { overlapMs: 30_000 })).toMatchObject({ result: 'valid', violations: [] });
  expect(judge(history, { overlapMs: 500 }).violations).toMatchObject([{ rule: 'S16' }]);
});

test('where steps overlap, the end of a replaced holder may be told behind events of others', () => {
  const history = eventful({ key: 'k', ifExists: 'replace', delayMs: 500 }, [
    enqueue('A', { to: 'scheduled' }),
    enqueue('B', { to: 'queued' }),
    { kind: 'configure' },
    { kind: 'replace', taskId: 'A', from: 'scheduled', to: 'cancelled', reason: 'replaced' },
    claim('B'),
    settle('B'),
  ]);
  expect(rulesOf(judge(history, { overlapMs: 30_000 }))).toEqual([]);
  expect(rulesOf(judge(history))).toEqual(['S17', 'S9']);
});

test('a replaced holder whose end is never told is found, wherever steps overlap', () => {
  const history = eventful({ key: 'k', ifExists: 'replace' }, [
    enqueue('A'),
    enqueue('B'),
    claim('A'),
    settle('A', { at: 40_000 }),
    claim('B'),
    settle('B'),
  ]);
  expect(rulesOf(judge(history, { overlapMs: 30_000 }))).toContain('S17');
});

const rulesOf = ({ violations }: ReturnType<typeof judge>): readonly Rule[] => violations.map(({ rule }) => rule);
