/** The checker accepts a good history and finds the broken rule in each of these bad ones. */

import { expect, test } from 'vitest';
import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import type { Task } from '../../src/core/task.ts';
import { newTask } from '../support/worker-rig.ts';
import { check } from './checker.ts';
import type { ClientEntry, Effect, Insight, RunHistory } from './run-history.ts';

type Change = Partial<EventItem> & Pick<BatchEvent, 'kind'> & { readonly at?: number };

/** A task that was enqueued, lost its first worker, failed once, and succeeded. */
const good: readonly Change[] = [
  { kind: 'enqueue', from: null, to: 'queued', attempt: 0 },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 1 },
  { kind: 'judge', from: 'running', to: 'queued', attempt: 0, reason: 'lease_lost' },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 1 },
  { kind: 'settle', from: 'running', to: 'scheduled', attempt: 1, reason: 'error' },
  { kind: 'promote', from: 'scheduled', to: 'queued', attempt: 1, at: 2_000 },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 2 },
  { kind: 'settle', from: 'running', to: 'succeeded', attempt: 2 },
];

const effects: readonly Effect[] = [
  effect('begin', 1, 10),
  effect('begin', 2, 20),
  effect('end', 2, 30),
  effect('begin', 3, 40),
  effect('end', 3, 50),
];

function step(what: 'step' | 'kept', epoch: number, generation = 1): Effect {
  return { ...effect(what, epoch, 35), step: 'one', generation };
}

/** The second run kept a step, the third read it, and the ghost of the first did it too. */
const steps: readonly Effect[] = [...effects, step('step', 2), step('kept', 2), step('kept', 3), step('step', 1)];

const client: readonly ClientEntry[] = [
  { at: 1, pid: 1, step: 'invoke', taskId: 'A', n: 7, delayMs: 0 },
  { at: 2, pid: 1, step: 'ok', taskId: 'A', n: 7, delayMs: 0 },
];

function effect(what: Effect['what'], epoch: number, at: number, n = 7): Effect {
  return { at, pid: epoch, what, taskId: 'A', epoch, attempt: 1, n };
}

function eventsOf(changes: readonly Change[]): BatchEvent[] {
  let at = 1_000;
  return changes.map((change, index) => {
    at = change.at ?? at;
    const item = {
      taskId: 'A',
      name: 'a',
      queue: 'default',
      version: index + 1,
      from: null,
      to: null,
      reason: null,
      attempt: 0,
      ...change,
    };
    return { seq: index + 1, at, kind: change.kind, items: [item] };
  });
}

function storedTask(given: Partial<Task>): Task {
  const stored = {
    id: 'A',
    state: 'succeeded',
    version: 8,
    epoch: 3,
    attempt: 2,
    generation: 1,
    reason: null,
    leaseUntil: null,
    result: '{"epoch":3}',
  };
  return {
    ...newTask({ id: 'A', name: 'a', policy: '{"delayMs":1000,"jitter":"none"}' }),
    ...stored,
    ...given,
  } as unknown as Task;
}

function historyOf(given: Partial<RunHistory> = {}): RunHistory {
  const counts = [{ queue: 'default', name: 'a', view: 'succeeded', count: 1 }] as const;
  return { events: eventsOf(good), tasks: [storedTask({})], counts, held: 0, client, effects, ...given };
}

/** The good changes with one of them different. */
function changed(index: number, change: Partial<Change>): RunHistory {
  return historyOf({ events: eventsOf(good.map((one, at) => (at === index ? { ...one, ...change } : one))) });
}

test('a history without a mistake is valid', () => {
  expect(check(historyOf())).toEqual([]);
  expect(check(historyOf({ effects: steps }))).toEqual([]);
});

test.for<readonly [sentence: string, rule: string, history: RunHistory]>([
  ['an accepted task is gone', 'S1', historyOf({ tasks: [], counts: [], events: [], effects: [] })],
  ['an accepted task was never stored', 'S1', historyOf({ events: [] })],
  ['one id was accepted twice', 'S1', historyOf({ events: eventsOf([good[0]!, ...good]) })],
  ['a task nobody asked for', 'S2', historyOf({ client: [] })],
  ['a handler got another payload', 'S2', historyOf({ effects: [effect('begin', 1, 5, 8), ...effects] })],
  ['a success without a run', 'S2', historyOf({ effects: effects.slice(0, 3) })],
  [
    'a refused task is there',
    'S2',
    historyOf({ client: client.map((entry) => (entry.step === 'ok' ? { ...entry, step: 'fail' } : entry)) }),
  ],
  ['a handler ran twice under one claim', 'S3', historyOf({ effects: [...effects, effect('begin', 3, 60)] })],
  ['claimed while it runs', 'S3', changed(2, { kind: 'claim', from: 'queued', to: 'running', attempt: 2 })],
  [
    'two runs at a time without a lost lease',
    'S4',
    historyOf({
      effects: [...effects.slice(0, 2), effect('begin', 3, 25), ...effects.slice(2, 3), effect('end', 3, 50)],
    }),
  ],
  ['the result of a run that had lost its lease', 'S4', historyOf({ tasks: [storedTask({ result: '{"epoch":2}' })] })],
  ['a task that succeeds twice', 'S5', historyOf({ events: eventsOf([...good, good[7]!]) })],
  ['a run without a claim', 'S6', historyOf({ effects: [...effects, effect('begin', 4, 60)] })],
  ['an epoch that starts again', 'S6', historyOf({ tasks: [storedTask({ epoch: 1 })] })],
  ['a move that is not in the table', 'S7', changed(1, { from: 'queued', to: 'succeeded' })],
  ['a move from a state it was not in', 'S7', changed(5, { from: 'queued' })],
  ['a lost worker that costs an attempt', 'S8', changed(2, { attempt: 1 })],
  ['an error that costs nothing', 'S8', changed(4, { attempt: 0 })],
  ['a success that gives its attempt back', 'S8', changed(7, { attempt: 1 })],
  ['more attempts than the policy has', 'S8', historyOf({ tasks: [storedTask({ policy: '{"attempts":1}' })] })],
  ['a claim before its time', 'S9', historyOf({ client: client.map((entry) => ({ ...entry, delayMs: 500 })) })],
  ['a retry before its delay', 'S10', changed(5, { at: 1_500 })],
  ['a final task with a lease', 'S11', historyOf({ tasks: [storedTask({ leaseUntil: 9 })] })],
  ['a claim that still holds a task', 'S11', historyOf({ held: 1 })],
  ['a step that runs again after it was kept', 'steps', historyOf({ effects: [...steps, step('step', 3)] })],
  ['a step that runs twice in one run', 'steps', historyOf({ effects: [...steps, step('step', 2)] })],
  ['a value of a step that never ran', 'steps', historyOf({ effects: [...steps, step('kept', 3, 2)] })],
  ['a version left out', 'S18', changed(3, { version: 5 })],
  [
    'a count that is wrong',
    'S18',
    historyOf({ counts: [{ queue: 'default', name: 'a', view: 'succeeded', count: 2 }] }),
  ],
  ['a count that is missing', 'S18', historyOf({ counts: [] })],
  ['a row that says something else', 'S18', historyOf({ tasks: [storedTask({ state: 'failed' })] })],
  ['a time that goes back', 'S18', changed(7, { at: 1_999 })],
  [
    'a task that is not final',
    'L4',
    historyOf({ events: eventsOf(good.slice(0, 7)), tasks: [storedTask({ state: 'running', version: 7 })] }),
  ],
  [
    'a scenario in which nothing was accepted',
    'unknown',
    historyOf({ events: [], tasks: [], counts: [], client: [], effects: [] }),
  ],
])('refuses %s', ([, rule, history]) => {
  expect(check(history).map((violation) => violation.rule)).toContain(rule);
});

/** What an observer saw of the good history, and of tasks whose key is "k". */
function insightOf(given: Partial<Insight> = {}): Insight {
  return {
    asked: new Map(['A', 'B'].map((id) => [id, newTask({ id, key: 'k' })])),
    patchedDelays: new Map(),
    pauses: [],
    refusals: [],
    heldKeys: [],
    couldAct: () => true,
    ...given,
  };
}

const observed = (given: Partial<Insight>, more: Partial<RunHistory> = {}): RunHistory =>
  historyOf({ insight: insightOf(given), effects: effects.map(withHow), ...more });

/** How each run of the good history ended, and that the lost one was told. */
function withHow(one: Effect): Effect {
  return one.what === 'end' ? { ...one, how: one.epoch === 2 ? 'threw' : 'returned' } : one;
}

const told = (runs: readonly Effect[]): readonly Effect[] => [effect('begin', 1, 10), effect('abort', 1, 15), ...runs];
const rest = effects.slice(1).map(withHow);

test('an observed history without a mistake is valid', () => {
  expect(check(observed({}, { effects: told(rest) }))).toEqual([]);
});

test.for<readonly [sentence: string, rule: string, history: RunHistory]>([
  ['a run that was not told of its lost lease', 'S4', observed({})],
  [
    'an error that no handler threw',
    'S8',
    observed({}, { effects: told(rest.map((one) => (one.what === 'end' ? { ...one, how: 'returned' } : one))) }),
  ],
  ['a claim from a paused queue', 'S16', observed({ pauses: [{ seq: 2, queue: 'default', paused: true }] })],
  ['a refusal for a key that nobody holds', 'S17', observed({ refusals: [{ seq: 8, key: 'k', of: 'A', at: 9_000 }] })],
  ['a refusal for the key of another', 'S17', observed({ refusals: [{ seq: 3, key: 'k', of: 'B', at: 1_000 }] })],
  [
    'a second task with the same key',
    'S17',
    observed({}, { events: eventsOf([good[0]!, { ...good[0]!, taskId: 'B' }]) }),
  ],
  ['a key that is kept for a final task', 'S21', observed({ heldKeys: [{ key: 'k', taskId: 'A' }] })],
  ['a key that was lost', 'S21', observed({}, { events: eventsOf(good.slice(0, 3)) })],
  [
    'a cancelled run that is tried again',
    'S15',
    observed(
      {},
      {
        events: eventsOf([
          ...good.slice(0, 2),
          { kind: 'cancelRequest', from: 'running', to: 'running', attempt: 1 },
          ...good.slice(2),
        ]),
      },
    ),
  ],
  [
    'a claim after the end of its life',
    'S9',
    observed({ asked: new Map([['A', newTask({ id: 'A', expiresInMs: 500 })]]) }),
  ],
])('refuses %s', ([, rule, history]) => {
  expect(check(history).map((violation) => violation.rule)).toContain(rule);
});
