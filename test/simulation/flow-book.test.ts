/** The account of flows and of what runs bring along: it accepts a good history, and rejects each of these. */

import { expect, test } from 'vitest';
import type { SettleResult } from '../../src/broker/broker.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import { createFlowBook, type FlowBook } from './flow-book.ts';

type Act = (book: FlowBook) => void;
type Move = readonly [kind: BatchEvent['kind'], taskId: string, to: TaskState | null];

const ofFlow = (id: string): NewTask => ({ id, flowId: 'head' }) as unknown as NewTask;
const asked = new Map(['head', 'part', 'late'].map((id) => [id, ofFlow(id)]));
const head = { taskId: 'head', token: 'token', epoch: 1 };

function eventsOf(book: FlowBook, moves: readonly Move[]): readonly BatchEvent[] {
  const events = moves.map(([kind, taskId, to]) => ({ kind, items: [{ taskId, to }] }) as unknown as BatchEvent);
  for (const event of events) book.take(event);
  return events;
}
const call =
  (...moves: readonly Move[]): Act =>
  (book) =>
    book.stored(eventsOf(book, moves));
const cancelled =
  (...moves: readonly Move[]): Act =>
  (book) => {
    eventsOf(book, moves);
    book.cancel({ flowId: 'head' });
  };
/** The head settles and brings `late` along. */
const settled =
  (outcome: Exclude<SettleResult['outcome'], 'diverted'>, ...moves: readonly Move[]): Act =>
  (book) => {
    const events = eventsOf(book, moves);
    book.settle([{ lease: head, spawn: [ofFlow('late')] }], [{ outcome }], events);
    book.stored(events);
  };

function rulesBrokenBy(acts: readonly Act[]): readonly string[] {
  const broken: string[] = [];
  const book = createFlowBook(asked, (rule, taskId) => broken.push(`${rule} ${taskId}`));
  for (const act of acts) act(book);
  return broken;
}

const running = call(['enqueue', 'head', 'queued'], ['enqueue', 'part', 'blocked'], ['claim', 'head', 'running']);
const asksHead: Move = ['cancelRequest', 'head', 'running'];
const endsPart: Move = ['cancel', 'part', 'cancelled'];
const late: Move = ['enqueue', 'late', 'queued'];
const lateEnds: Move = ['cancel', 'late', 'cancelled'];

test.each<readonly [string, readonly Act[]]>([
  ['a success that brings a task along', [running, settled('applied', late)]],
  ['one that is repeated', [running, settled('applied', late), settled('alreadyApplied')]],
  ['one that is stale and brings nothing', [running, settled('stale')]],
  ['a flow that is cancelled, with what comes to it', [running, cancelled(asksHead, endsPart), call(late, lateEnds)]],
  [
    'a flow that begins anew with its head',
    [running, cancelled(asksHead, endsPart), call(['retry', 'head', 'queued']), call(late)],
  ],
  [
    'a part of a cancelled flow that a person retries',
    [running, cancelled(asksHead, endsPart), call(['retry', 'part', 'queued'])],
  ],
])('accepts: %s', (_words, acts) => {
  expect(rulesBrokenBy(acts)).toEqual([]);
});

test.each<readonly [string, string, readonly Act[]]>([
  ['a success without what it brings along', 'S14 late', [running, settled('applied')]],
  ['a stale settlement that brings a task along', 'S14 late', [running, settled('stale', late)]],
  [
    'a repeated settlement that brings it along again',
    'S14 late',
    [running, settled('applied', late), call(['remove', 'late', null]), settled('alreadyApplied', late)],
  ],
  ['a part that waits on after the cancellation', 'S14 part', [running, cancelled(asksHead)]],
  ['a part that runs and is not asked', 'S14 head', [running, cancelled(endsPart)]],
  ['what comes to a cancelled flow and waits', 'S14 late', [running, cancelled(asksHead, endsPart), call(late)]],
  [
    'a retried part that is let go by its parents',
    'S14 part',
    [running, cancelled(asksHead, endsPart), call(['retry', 'part', 'blocked']), call(['unblock', 'part', 'queued'])],
  ],
])('rejects: %s', (_words, broken, acts) => {
  expect(rulesBrokenBy(acts)).toEqual([broken]);
});
