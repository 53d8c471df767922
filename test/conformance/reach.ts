/** Tasks of a sender who reaches some queues only: what is in others is a conflict, and a flow with tasks there is not cancelled. */

import { expect } from 'vitest';
import type { IfExists, NewTask } from '../../src/core/task.ts';
import { finish, newTask, sampleId } from './samples.ts';
import type { Case, World } from './world.ts';

const rules: readonly IfExists[] = ['return', 'replace', 'debounce', 'error'];

/** Of one who reaches mail alone, when nothing else is said. */
function mailTask(id: string, given: Partial<NewTask> = {}): NewTask {
  return newTask(id, { queue: 'mail', reach: ['mail'], ...given });
}

/** Enqueues it under the key of a holder, and tells what became of it. */
async function meets(world: World, queue: string, given: Partial<NewTask>): Promise<string | undefined> {
  const id = world.nextId();
  await world.put({ queue, key: `k-${id}`, delayMs: 10_000 });
  const task = mailTask(world.nextId(), { key: `k-${id}`, ifExists: 'replace', ...given });
  return (await world.broker().enqueue([task]))[0]?.outcome;
}

const keyOfOthers: readonly Case[] = [
  ...rules.flatMap((ifExists) =>
    (['queued', 'scheduled', 'blocked', 'running', 'succeeded'] as const).map(
      (state): Case => [
        `with ifExists ${ifExists} a key that a ${state} task of another queue holds is a conflict`,
        async (world) => {
          const keyForMs = state === 'succeeded' ? 60_000 : null;
          const { id: of } = await world.bring(state, { key: 'k', keyForMs });
          const id = world.nextId();
          const given = { key: 'k', ifExists };
          const answer = [{ outcome: 'conflict', taskId: id, of }];
          await world.check((broker) => broker.enqueue([mailTask(id, given)]), answer);
        },
      ],
    ),
  ),
  [
    'patterns of queues have stars for any characters, and nothing else in them is special',
    async (world) => {
      const outcomes: unknown[] = [];
      for (const [queue, reach] of [
        ['mail', ['post', 'mail']],
        ['mail.eu', ['mail*']],
        ['eu.mail', ['*.mail']],
        ['a.mail.b', ['a*l*b']],
        ['mail', ['*']],
        ['mail', []],
        ['mailx', ['mail']],
        ['xmail', ['mail']],
        ['mail', ['m.il', 'm?il', '[m]ail', 'm%a*', '^mail$']],
        ['a.mail.c', ['a*l*b']],
      ] as const)
        outcomes.push(await meets(world, queue, { reach: [...reach] }));
      const [replaced, conflict] = [Array(5).fill('replaced'), Array(5).fill('conflict')];
      expect(outcomes).toEqual([...replaced, ...conflict]);
    },
  ],
  [
    'a key that is free, or held within reach, is taken as by anybody',
    async (world) => {
      const [first, second] = [world.nextId(), world.nextId()];
      await world.broker().enqueue([mailTask(first, { key: 'k' })]);
      expect(
        await world.broker().enqueue([mailTask(second, { key: 'k', ifExists: 'replace', reach: ['m*'] })]),
      ).toMatchObject([{ outcome: 'replaced', of: first }]);
      expect(await world.broker().enqueue([mailTask(world.nextId(), { key: 'k' })])).toMatchObject([
        { outcome: 'duplicate', of: second },
      ]);
    },
  ],
  [
    'a key that was kept for a task that is gone is a duplicate: nobody knows where that was',
    async (world) => {
      const subject = await world.bring('running', { key: 'k', keyForMs: 60_000, keepMs: 0 });
      await world.settle(subject, finish('succeeded', { keepMs: 0 }));
      world.clock.move(10);
      await world.broker().prune(10);
      expect(await world.broker().enqueue([mailTask(world.nextId(), { key: 'k' })])).toMatchObject([
        { outcome: 'duplicate', of: subject.id },
      ]);
    },
  ],
  [
    'within one call each meets the one before, by the reach of each',
    async (world) => {
      const ids = [world.nextId(), world.nextId(), world.nextId(), world.nextId()] as const;
      const key = { key: 'k', ifExists: 'replace' } as const;
      const results = await world
        .broker()
        .enqueue([
          newTask(ids[0], { queue: 'bills', ...key }),
          mailTask(ids[1], key),
          newTask(ids[2], { queue: 'mail', ...key }),
          mailTask(ids[3], key),
        ]);
      expect(results).toMatchObject([
        { outcome: 'created' },
        { outcome: 'conflict', of: ids[0] },
        { outcome: 'replaced', of: ids[0] },
        { outcome: 'replaced', of: ids[2] },
      ]);
    },
  ],
  [
    'an id of a task in another queue is a conflict, whatever that has in it',
    async (world) => {
      const [plain, keyed] = [world.nextId(), world.nextId()];
      await world.broker().enqueue([newTask(plain), newTask(keyed, { key: 'k' })]);
      await world.check(
        (broker) => broker.enqueue([mailTask(plain), mailTask(keyed, { key: 'k' })]),
        [plain, keyed].map((id) => ({ outcome: 'conflict', taskId: id, of: id })),
      );
      const own = world.nextId();
      await world.broker().enqueue([mailTask(own)]);
      await world.check(
        (broker) => broker.enqueue([mailTask(own)]),
        [{ outcome: 'existing', taskId: own, state: 'queued' }],
      );
    },
  ],
  [
    'nobody waits for a task of another queue in the place of one of the call',
    async (world) => {
      await world.put({ key: 'k' });
      const [id, child] = [world.nextId(), world.nextId()];
      const dependsOn = [{ taskId: id, onFailure: 'ignore' }] as const;
      await world.checkRefused(
        (broker) => broker.enqueue([mailTask(id, { key: 'k' }), mailTask(child, { dependsOn })]),
        'INVALID_FLOW',
      );
    },
  ],
  [
    'nor is one that waits held back in its name',
    async (world) => {
      await world.put({ key: 'k' });
      const waiting = await world.put({ queue: 'mail' });
      const id = world.nextId();
      const blocks = [{ taskId: waiting, onFailure: 'cancel' }] as const;
      const conflict = [expect.objectContaining({ outcome: 'conflict', taskId: id })];
      await world.check((broker) => broker.enqueue([mailTask(id, { key: 'k', blocks })]), conflict);
    },
  ],
];

/** A flow that stands in mail, with one more task. */
async function flowWith(world: World, member: Partial<NewTask>): Promise<readonly [flowId: string, member: string]> {
  const flowId = sampleId(500);
  await world.broker().enqueue([newTask(flowId, { queue: 'mail', flowId })]);
  return [flowId, await world.put({ flowId, ...member })];
}

const flowsOfOthers: readonly Case[] = [
  [
    'a flow with an unfinished task in another queue is not cancelled',
    async (world) => {
      const [flowId] = await flowWith(world, { queue: 'bills', delayMs: 10_000 });
      await world.check(
        (broker) => broker.cancel({ taskIds: [flowId], flowId, reason: 'why', reach: ['mail', 'post.*'] }),
        [{ outcome: 'forbidden' }],
      );
      // Nor is what comes to it later.
      expect(await world.broker().enqueue([newTask(world.nextId(), { flowId })])).toMatchObject([{ state: 'queued' }]);
    },
  ],
  [
    'nor is one that was named by itself, where it is in another queue',
    async (world) => {
      const [mine, other] = [await world.put({ queue: 'mail' }), await world.put()];
      const answer = [{ outcome: 'forbidden' }, { outcome: 'forbidden' }];
      const request = { taskIds: [mine, other], reason: null, reach: ['mail'] };
      await world.check((broker) => broker.cancel(request), answer);
    },
  ],
  [
    'what has ended in another queue, or is unknown, holds nothing back',
    async (world) => {
      const [flowId, member] = await flowWith(world, {});
      await world.broker().cancel({ taskIds: [member], reason: null });
      const taskIds = [flowId, sampleId(999)];
      const answer = await world.broker().cancel({ taskIds, flowId, reason: null, reach: ['m*l'] });
      expect(answer).toEqual([{ outcome: 'cancelled' }, { outcome: 'unknown' }]);
      expect(await world.broker().enqueue([newTask(world.nextId(), { flowId })])).toMatchObject([
        { state: 'cancelled' },
      ]);
    },
  ],
  [
    'a flow that is all within reach is cancelled as by anybody',
    async (world) => {
      const [flowId] = await flowWith(world, { queue: 'mail.eu' });
      const request = { taskIds: [flowId], flowId, reason: null, reach: ['mail*'] };
      expect(await world.broker().cancel(request)).toEqual([{ outcome: 'cancelled' }, { outcome: 'cancelled' }]);
    },
  ],
];

export const reachCases: readonly Case[] = [...keyOfOthers, ...flowsOfOthers];
