/** The judge accepts good histories and finds the broken promise in each of these bad ones. */

import { expect, test } from 'vitest';
import type { Rule } from '../../src/checker/verdict.ts';
import {
  askedFor,
  type Change,
  call,
  changed,
  claim,
  client,
  effect,
  effects,
  enqueue,
  eventful,
  eventsOf,
  good,
  historyOf,
  settle,
  storedTask,
} from './histories.ts';
import { judge, type RunHistory } from './run-history.ts';

/** Its own begin and end with another n, epoch, time: the good effects with one added or replaced. */
const withEffect = (index: number, ...put: Parameters<typeof effect>[]): RunHistory =>
  historyOf({ effects: effects.flatMap((one, at) => (at === index ? put.map((each) => effect(...each)) : [one])) });
const runsAnd = (...more: Parameters<typeof effect>[]): RunHistory =>
  historyOf({ effects: [...effects, ...more.map((each) => effect(...each))] });

/** The second run kept a step, the third read it, and the ghost of the first did it too. */
const steps = ['step 2', 'kept 2', 'kept 3', 'step 1'].map((words) => step(words));
function step(words: string, generation = 1): ReturnType<typeof effect> {
  const [what, epoch] = words.split(' ') as ['step' | 'kept', string];
  return effect(what, Number(epoch), 35, { step: 'one', generation });
}
const cancelled: readonly Change[] = [
  ...good.slice(0, 2),
  { kind: 'cancelRequest', from: 'running', to: 'running', attempt: 1 },
];

test.for<readonly [sentence: string, history: RunHistory]>([
  ['a task that lost a worker, failed once and succeeded', historyOf()],
  ['a step that is kept and read again', historyOf({ effects: [...effects, ...steps] })],
  [
    'a run that began while the frozen one before could not be told',
    historyOf({
      effects: effects.filter(({ what }) => what !== 'abort'),
      processes: [{ pid: 1, at: 5, what: 'frozen' }],
    }),
  ],
  [
    'a run whose process was gone before it could end',
    historyOf({
      effects: effects.filter(({ what }) => what !== 'abort'),
      processes: [{ pid: 1, at: 12, what: 'gone' }],
    }),
  ],
  [
    'a run that hears nothing any more, in a process of its own',
    historyOf({
      effects: effects
        .filter(({ what }) => what !== 'abort')
        .flatMap((one) => (one.epoch === 1 ? [{ ...one, own: true }, effect('numb', 1, 11)] : [one])),
    }),
  ],
  [
    'a run in a process of its own that was ended with it',
    historyOf({
      effects: effects
        .filter(({ what, epoch }) => epoch !== 1 || what === 'begin')
        .map((one) => (one.epoch === 1 ? { ...one, own: true } : one)),
      events: eventsOf(
        good.map((one, index) => (index === 2 ? { ...one, kind: 'settle' as const, reason: 'crashed' as const } : one)),
      ),
    }),
  ],
  [
    'a run in a process of its own that died while the store was away',
    historyOf({
      effects: effects
        .filter(({ what, epoch }) => epoch !== 1 || what === 'begin')
        .map((one) => (one.epoch === 1 ? { ...one, own: true } : one)),
    }),
  ],
  [
    'a call without an answer whose task is there',
    historyOf({ client: [...client, call('invoke', {}), call('info')] }),
  ],
])('accepts %s', ([, history]) => {
  expect(judge(history)).toMatchObject({ result: 'valid', violations: [], doubts: [] });
});

test.for<readonly [sentence: string, rule: Rule, history: RunHistory]>([
  ['an accepted task that is gone', 'S1', historyOf({ tasks: [], counts: [] })],
  ['an accepted task that was never stored', 'S1', historyOf({ events: [] })],
  ['an accepted task of which there is nothing', 'S1', historyOf({ events: [], tasks: [], counts: [], effects: [] })],
  ['one id that was accepted twice', 'S1', historyOf({ events: eventsOf([good[0]!, ...good]) })],
  [
    'one request that was stored as two tasks',
    'S1',
    eventful({}, [enqueue('A'), enqueue('B')], {
      client: ['A', 'B'].map((taskId) => call('invoke', {}, { taskId })),
    }),
  ],
  ['a task nobody asked for', 'S2', historyOf({ client: [] })],
  [
    'a handler that ran for a task nobody asked for',
    'S2',
    historyOf({ effects: [...effects, effect('begin', 1, 5, { taskId: 'Z', n: 9 })] }),
  ],
  ['a handler that got another payload', 'S2', withEffect(4, ['begin', 3, 40, { n: 8 }])],
  ['a success whose handler did not end', 'S2', historyOf({ effects: effects.slice(0, 5) })],
  ['a success without a run', 'S2', historyOf({ effects: effects.slice(0, 4) })],
  ['a refused task that is there', 'S2', historyOf({ client: [call('invoke', {}), call('fail')] })],
  ['a handler that ran twice under one claim', 'S3', runsAnd(['begin', 3, 60])],
  ['a claim while it runs', 'S3', changed(2, { kind: 'claim', from: 'queued', to: 'running', attempt: 2 })],
  [
    'two claims of a queued task one after the other',
    'S3',
    historyOf({ events: eventsOf([...good.slice(0, 2), good[1]!]) }),
  ],
  ['two runs at a time without a lost lease', 'S4', withEffect(3, ['begin', 3, 25], ['end', 2, 30, { how: 'threw' }])],
  [
    'a run that was not told of its lost lease',
    'S4',
    historyOf({ effects: effects.filter(({ what }) => what !== 'abort') }),
  ],
  ['a run that was told too late', 'S4', withEffect(1, ['abort', 1, 25])],
  ['the success of a run whose handler threw', 'S4', withEffect(5, ['end', 3, 50, { how: 'threw' }])],
  ['the result of a run that had lost its lease', 'S4', historyOf({ tasks: [storedTask({ result: '{"epoch":2}' })] })],
  ['a task that succeeds twice', 'S5', historyOf({ events: eventsOf([...good, good[7]!]) })],
  ['a success that becomes a failure', 'S5', historyOf({ events: eventsOf([...good, { ...good[7]!, to: 'failed' }]) })],
  [
    'a cancelled task that succeeds',
    'S5',
    historyOf({ events: eventsOf([good[0]!, { kind: 'cancel', from: 'queued', to: 'cancelled' }, claim(), settle()]) }),
  ],
  ['a run without a claim', 'S6', runsAnd(['begin', 4, 60])],
  ['an epoch that starts again', 'S6', historyOf({ tasks: [storedTask({ epoch: 1, result: null })] })],
  ['a claim that was not counted', 'S6', historyOf({ tasks: [storedTask({ epoch: 4, result: null })] })],
  ['a move that is not in the table', 'S7', changed(1, { from: 'queued', to: 'succeeded' })],
  ['a move from a state it was not in', 'S7', changed(5, { from: 'queued' })],
  ['a claim of a scheduled task', 'S7', changed(6, { from: 'scheduled' })],
  [
    'a claim of a cancelled task',
    'S7',
    historyOf({ events: eventsOf([good[0]!, { kind: 'cancel', from: 'queued', to: 'cancelled' }, claim()]) }),
  ],
  [
    'a task that runs again after its success',
    'S7',
    historyOf({ events: eventsOf([...good, claim('A', { attempt: 3 })]) }),
  ],
  [
    'a retry of an unfinished task',
    'S7',
    historyOf({ events: eventsOf([good[0]!, { kind: 'retry', from: 'queued', to: 'queued' }]) }),
  ],
  [
    'a running task that is pruned',
    'S7',
    historyOf({ events: eventsOf([...good.slice(0, 2), { kind: 'prune', from: 'running', to: null }]) }),
  ],
  [
    'a request to cancel what does not run',
    'S7',
    historyOf({ events: eventsOf([good[0]!, { kind: 'cancelRequest', from: 'queued', to: 'queued' }]) }),
  ],
  ['a lost worker that costs an attempt', 'S8', changed(2, { attempt: 1 })],
  [
    'a run in a process of its own that went on beside the next one without being told',
    'S4',
    historyOf({
      effects: [
        ...effects.filter(({ what }) => what !== 'abort').map((one) => (one.epoch === 1 ? { ...one, own: true } : one)),
        effect('end', 1, 45, { how: 'returned' }),
      ],
    }),
  ],
  ['an error that costs nothing', 'S8', changed(4, { attempt: 0 })],
  ['an error that no handler threw', 'S8', withEffect(3, ['end', 2, 30, { how: 'returned' }])],
  ['an error of a run that never began', 'S8', historyOf({ effects: effects.filter(({ epoch }) => epoch !== 2) })],
  ['a success that gives its attempt back', 'S8', changed(7, { attempt: 1 })],
  ['a snooze that costs an attempt', 'S8', changed(4, { reason: 'snooze' })],
  ['a hand-back that costs an attempt', 'S8', changed(2, { kind: 'settle', reason: 'released', attempt: 1 })],
  ['an unknown name that costs an attempt', 'S8', changed(4, { reason: 'unknown_task' })],
  ['a claim that counts two attempts', 'S8', changed(3, { attempt: 2 })],
  [
    'a retry by a person that keeps the old attempts',
    'S8',
    historyOf({
      events: eventsOf([
        ...good,
        { kind: 'retry', from: 'succeeded', to: 'queued', attempt: 0 },
        claim('A', { attempt: 3 }),
      ]),
    }),
  ],
  ['more attempts than the policy has', 'S8', historyOf({ tasks: [storedTask({ policy: '{"attempts":1}' })] })],
  [
    'a quarantine after one crash',
    'S8',
    historyOf({
      events: eventsOf([
        ...good.slice(0, 2),
        { kind: 'judge', from: 'running', to: 'failed', attempt: 0, reason: 'crash_loop' },
      ]),
    }),
  ],
  ['a row with another attempt than its events', 'S8', historyOf({ tasks: [storedTask({ attempt: 3 })] })],
  ['a claim before its time', 'S9', askedFor({ delayMs: 500 })],
  ['a claim before an absolute time', 'S9', askedFor({ at: 1_001 })],
  ['a claim after the end of its life', 'S9', askedFor({ expiresInMs: 500 })],
  [
    'a claim before the time an update gave it',
    'S9',
    historyOf({
      events: eventsOf([
        good[0]!,
        { kind: 'update', from: 'queued', to: 'scheduled' },
        { kind: 'promote', from: 'scheduled', to: 'queued' },
        claim(),
      ]),
      patches: [{ taskId: 'A', version: 2, delayMs: 5_000 }],
    }),
  ],
  ['a retry before its delay', 'S10', changed(5, { at: 1_500 })],
  [
    'a second retry that does not back off',
    'S10',
    historyOf({
      tasks: [storedTask({ policy: '{"delayMs":1000,"jitter":"none","factor":3}' })],
      events: eventsOf([
        ...good.slice(0, 7),
        { kind: 'settle', from: 'running', to: 'scheduled', attempt: 2, reason: 'error' },
        { kind: 'promote', from: 'scheduled', to: 'queued', attempt: 2, at: 4_000 },
        claim('A', { attempt: 3 }),
      ]),
    }),
  ],
  ['a final task with a lease', 'S11', historyOf({ tasks: [storedTask({ leaseUntil: 9 })] })],
  ['a claim that still holds a task', 'S11', historyOf({ held: 1 })],
  ['a cancelled run that is tried again', 'S15', historyOf({ events: eventsOf([...cancelled, ...good.slice(2)]) })],
  [
    'a cancelled run that fails',
    'S15',
    historyOf({ events: eventsOf([...cancelled, settle('A', { to: 'failed', reason: 'error' })]) }),
  ],
  [
    'a success in spite of a strict cancellation',
    'S15',
    askedFor({ strictCancel: true }, { events: eventsOf([...cancelled, settle()]) }),
  ],
  ['a step that runs again after it was kept', 'steps', historyOf({ effects: [...effects, ...steps, step('step 3')] })],
  ['a step that runs twice in one run', 'steps', historyOf({ effects: [...effects, ...steps, step('step 2')] })],
  ['a value of a step that never ran', 'steps', historyOf({ effects: [...effects, ...steps, step('kept 3', 2)] })],
  ['a version left out', 'S18', changed(3, { version: 5 })],
  ['a row that says something else', 'S18', historyOf({ tasks: [storedTask({ state: 'failed' })] })],
  ['a row with another version', 'S18', historyOf({ tasks: [storedTask({ version: 9 })] })],
  ['a row without an event', 'S18', historyOf({ tasks: [storedTask(), storedTask({ id: 'B' })] })],
  ['a time that goes back', 'S18', changed(7, { at: 1_999 })],
  [
    'an event that is told twice',
    'S18',
    historyOf({ events: eventsOf(good).flatMap((event, index) => (index === 3 ? [event, event] : [event])) }),
  ],
  [
    'a count that is wrong',
    'S21',
    historyOf({ counts: [{ queue: 'default', name: 'a', view: 'succeeded', count: 2 }] }),
  ],
  ['a count that is missing', 'S21', historyOf({ counts: [] })],
  [
    'a task that is gone before the end of its retention',
    'S22',
    eventful({ policy: '{"keepSucceededMs":5000}' }, [
      enqueue(),
      claim(),
      settle(),
      { kind: 'prune', from: 'succeeded', to: null, at: 5_999 },
    ]),
  ],
  [
    'a task that is not final',
    'L4',
    historyOf({ events: eventsOf(good.slice(0, 7)), tasks: [storedTask({ state: 'running', version: 7 })] }),
  ],
])('refuses %s', ([, rule, history]) => {
  const verdict = judge(history);
  expect(verdict.result).toBe('invalid');
  expect(verdict.violations.map((violation) => violation.rule)).toContain(rule);
});

test('a history in which nothing was accepted and nothing ran proves nothing', () => {
  const verdict = judge({ events: [], tasks: [], counts: [], held: 0, client: [], effects: [] });
  expect(verdict).toMatchObject({ result: 'unknown', doubts: ['nothing was accepted', 'nothing ran'] });
});

test('a broken promise comes with what led to it', () => {
  const { violations, context } = judge(changed(4, { attempt: 0 }));
  expect(violations[0]).toMatchObject({ rule: 'S8', taskId: 'A' });
  expect(context.at(-1)).toBe('store   1000  event 5: settle running → scheduled (error), attempt 0, version 5');
  expect(context).toContain('handler 30  process 2: end threw, epoch 2, attempt 1');
});

test('a claim that waited for the enqueue of its task may have read the clock before it, where steps overlap', () => {
  const history = historyOf();
  const [enqueued, claimed, ...rest] = history.events;
  const overlapping = { ...history, events: [enqueued!, { ...claimed!, at: enqueued!.at - 5 }, ...rest] };
  expect(judge(overlapping, { overlapMs: 10 })).toMatchObject({ result: 'valid', violations: [] });
  expect(judge(overlapping, { overlapMs: 4 }).violations.map(({ rule }) => rule)).toEqual(['S18']);
});
