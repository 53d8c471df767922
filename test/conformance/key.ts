/** Keys: every `ifExists` against every state of the holder, keyFor, and when a key is let go. */

import { expect } from 'vitest';
import { isWaiting, type TaskState, taskStates } from '../../src/core/states.ts';
import type { IfExists, NewTask } from '../../src/core/task.ts';
import { claimRequest, finish, keepMs, newTask, settlement, startAt, wait } from './samples.ts';
import type { Case, Subject, World } from './world.ts';

const rules: readonly IfExists[] = ['return', 'replace', 'debounce', 'error'];
const lettingGo: readonly IfExists[] = ['replace', 'debounce'];

/** What the newcomer meets, by the rule it brings and by the holder: its own rule says when it lets go. */
function expectedOutcome(rule: IfExists, holderRule: IfExists, holderState: TaskState): string {
  const isFree = holderState === 'running' ? lettingGo.includes(holderRule) : !isWaiting(holderState);
  if (isFree) return 'created';
  if (rule === 'return') return 'duplicate';
  if (rule === 'error') return 'conflict';
  return isWaiting(holderState) ? 'replaced' : 'duplicate';
}

function ruleCases(rule: IfExists): readonly Case[] {
  return rules.flatMap((holderRule) =>
    taskStates.map((state): Case => {
      const outcome = expectedOutcome(rule, holderRule, state);
      return [
        `ifExists ${rule} against a ${state} holder with ${holderRule} is ${outcome}`,
        async (world) => {
          const { id: of } = await world.bring(state, { key: 'k', ifExists: holderRule });
          const id = world.nextId();
          const isStored = outcome === 'created' || outcome === 'replaced';
          await world.check(
            async (broker) => (await broker.enqueue([newTask(id, { key: 'k', ifExists: rule })]))[0],
            { outcome, taskId: id, ...(outcome !== 'created' && { of }), ...(isStored && { state: 'queued' }) },
            {
              ...(isStored && {
                [id]: expect.objectContaining({ state: 'queued' }),
                'key k': { taskId: id, until: null },
              }),
              ...(outcome === 'replaced' && {
                [of]: { state: 'cancelled', reason: 'replaced', finishedAt: startAt, pruneAt: startAt + keepMs },
              }),
            },
          );
        },
      ];
    }),
  );
}

/** Due times of the holder and the newcomer, and when the newcomer runs. */
const delays = [
  { holder: 60_000, next: 90_000, replace: 60_000, debounce: 90_000 },
  { holder: 60_000, next: 5_000, replace: 5_000, debounce: 5_000 },
  { holder: 60_000, next: 0, replace: 0, debounce: 0 },
  { holder: 0, next: 30_000, replace: 0, debounce: 30_000 },
] as const;

const delayCases: readonly Case[] = delays.flatMap(({ holder, next, ...due }) =>
  (['replace', 'debounce'] as const).map(
    (rule): Case => [
      `${rule} of a task due in ${holder} by one due in ${next} runs in ${due[rule]} ms`,
      async (world) => {
        await world.put({ key: 'k', delayMs: holder });
        const id = await world.put({ key: 'k', delayMs: next, ifExists: rule, startWithinMs: 7 });
        const dueAt = startAt + due[rule];
        expect(await world.task(id)).toMatchObject({
          dueAt,
          startBy: dueAt + 7,
          state: due[rule] > 0 ? 'scheduled' : 'queued',
        });
      },
    ],
  ),
);

async function succeed(world: World, keyForMs: number): Promise<Subject> {
  return world.bring('succeeded', { key: 'k', keyForMs });
}

const keyForCases: readonly Case[] = [
  ...rules.map(
    (rule): Case => [
      `a key kept after success meets ifExists ${rule}`,
      async (world) => {
        const { id: of } = await succeed(world, 1_000);
        const id = world.nextId();
        const outcome = rule === 'error' ? 'conflict' : 'duplicate';
        await world.check(
          (broker) => broker.enqueue([newTask(id, { key: 'k', ifExists: rule })]),
          [{ outcome, taskId: id, of }],
        );
      },
    ],
  ),
  [
    'a key kept after success is free the moment its time is over',
    async (world) => {
      await succeed(world, 1_000);
      world.clock.move(999);
      expect(await world.broker().enqueue([newTask(world.nextId(), { key: 'k' })])).toMatchObject([
        { outcome: 'duplicate' },
      ]);
      world.clock.move(1);
      expect(await world.broker().enqueue([newTask(world.nextId(), { key: 'k' })])).toMatchObject([
        { outcome: 'created' },
      ]);
    },
  ],
  [
    'whoever took a key that is kept no more has it behind a prune, too',
    async (world) => {
      await succeed(world, 1_000);
      world.clock.move(1_000);
      const of = await world.put({ key: 'k' });
      await world.broker().prune(10);
      const id = world.nextId();
      await world.check(
        (broker) => broker.enqueue([newTask(id, { key: 'k' })]),
        [{ outcome: 'duplicate', taskId: id, of }],
      );
    },
  ],
  ...(['failed', 'cancelled'] as const).map(
    (state): Case => [
      `a key is not kept when the task ${state === 'failed' ? 'failed' : 'was cancelled'}`,
      async (world) => {
        await world.bring(state, { key: 'k', keyForMs: 1_000 });
        expect((await world.dump()).keys).toEqual({});
      },
    ],
  ),
  [
    'a kept key outlives the pruned task',
    async (world) => {
      const { id: of } = await succeed(world, 10_000_000);
      world.clock.move(1_000_000);
      expect(await world.broker().prune(10)).toBe(1);
      const id = world.nextId();
      await world.check(
        (broker) => broker.enqueue([newTask(id, { key: 'k' })]),
        [{ outcome: 'duplicate', taskId: id, of }],
      );
    },
  ],
  [
    'a kept key goes with the removed task',
    async (world) => {
      const { id } = await succeed(world, 10_000);
      await world.check((broker) => broker.remove([id]), [{ outcome: 'removed' }], { [id]: null, 'key k': null });
    },
  ],
  [
    'a retry of the holder takes the kept key for itself',
    async (world) => {
      const { id } = await succeed(world, 10_000);
      await world.broker().retry([id]);
      expect((await world.dump()).keys).toEqual({ k: { taskId: id, until: null } });
    },
  ],
  [
    'a retried task is not held back by its own kept key but others are',
    async (world) => {
      const { id: failed } = await world.bring('failed', { key: 'k' });
      const { id: of } = await succeed(world, 10_000);
      await world.check((broker) => broker.retry([failed]), [{ outcome: 'conflict', of }]);
    },
  ],
  [
    'a kept key whose time is over does not hold back a retry',
    async (world) => {
      const { id: failed } = await world.bring('failed', { key: 'k' });
      await succeed(world, 10_000);
      world.clock.move(10_000);
      expect(await world.broker().retry([failed])).toEqual([{ outcome: 'queued', generation: 2 }]);
    },
  ],
];

const lettingGoCases: readonly Case[] = lettingGo.flatMap((rule): readonly Case[] => [
  [
    `with ${rule} the key is free from the claim on`,
    async (world) => {
      await world.put({ key: 'k', ifExists: rule });
      await world.claimAll();
      expect((await world.dump()).keys).toEqual({});
    },
  ],
  [
    `with ${rule} the key is not taken again when the run ends in a wait`,
    async (world) => {
      const subject = await world.bring('running', { key: 'k', ifExists: rule });
      const next = await world.put({ key: 'k', ifExists: rule });
      await world.settle(subject, wait('scheduled'));
      expect((await world.dump()).keys).toEqual({ k: { taskId: next, until: null } });
    },
  ],
  [
    `with ${rule} the end of the former holder leaves the key to the next`,
    async (world) => {
      const subject = await world.bring('running', { key: 'k', ifExists: rule });
      const next = await world.put({ key: 'k', ifExists: rule });
      await world.settle(subject, finish('succeeded'));
      expect((await world.dump()).keys).toEqual({ k: { taskId: next, until: null } });
    },
  ],
  [
    `with ${rule} a retry takes the key again`,
    async (world) => {
      const { id } = await world.bring('failed', { key: 'k', ifExists: rule });
      await world.broker().retry([id]);
      expect((await world.dump()).keys).toEqual({ k: { taskId: id, until: null } });
    },
  ],
]);

export const keyCases: readonly Case[] = [
  ...rules.flatMap(ruleCases),
  ...delayCases,
  ...keyForCases,
  ...lettingGoCases,
  [
    'tasks without a key never meet',
    async (world) => {
      await world.put();
      await world.put();
      expect((await world.dump()).keys).toEqual({});
    },
  ],
  [
    'a key is held over all queues and names',
    async (world) => {
      const of = await world.put({ key: 'k', queue: 'a', name: 'one' });
      const id = world.nextId();
      await world.check(
        (broker) => broker.enqueue([newTask(id, { key: 'k', queue: 'b', name: 'two' })]),
        [{ outcome: 'duplicate', taskId: id, of }],
      );
    },
  ],
  [
    'keys that differ in case or in a trailing space are two keys',
    async (world) => {
      for (const key of ['k', 'K', 'k ', '', 'ｋ']) await world.put({ key });
      expect(Object.keys((await world.dump()).keys)).toHaveLength(5);
    },
  ],
  [
    'in one batch the first of a key is stored and the others meet it',
    async (world) => {
      const [first, second, third] = [world.nextId(), world.nextId(), world.nextId()];
      await world.check(
        (broker) =>
          broker.enqueue([
            newTask(first, { key: 'k' }),
            newTask(second, { key: 'k' }),
            newTask(third, { key: 'k', ifExists: 'error' }),
          ]),
        [
          { outcome: 'created', taskId: first, state: 'queued' },
          { outcome: 'duplicate', taskId: second, of: first },
          { outcome: 'conflict', taskId: third, of: first },
        ],
        { [first]: expect.anything(), 'key k': { taskId: first, until: null } },
      );
    },
  ],
  [
    'in one batch each replaces the one before',
    async (world) => {
      const ids = [world.nextId(), world.nextId(), world.nextId()];
      await world.broker().enqueue(ids.map((id) => newTask(id, { key: 'k', ifExists: 'debounce' })));
      const states = (await world.broker().getTasks(ids)).map((task) => task?.state);
      expect(states).toEqual(['cancelled', 'cancelled', 'queued']);
      expect((await world.store.events()).map(({ kind, items }) => [kind, items.length])).toEqual([
        ['enqueue', 3],
        ['replace', 2],
      ]);
    },
  ],
  [
    'in one batch a task of a group that is replaced leaves its line',
    async (world) => {
      const given: Partial<NewTask> = { key: 'k', group: 'acme', ifExists: 'replace' };
      const ids = [world.nextId(), world.nextId(), world.nextId()] as const;
      await world
        .broker()
        .enqueue([newTask(ids[0], given), newTask(ids[1], { group: 'acme' }), newTask(ids[2], given)]);
      expect((await world.claimAll()).map(({ task }) => task.id)).toEqual([ids[1], ids[2]]);
    },
  ],
  [
    'a replaced task is kept for its own time',
    async (world) => {
      const id = await world.put({ key: 'k', keepMs: 123 });
      await world.put({ key: 'k', ifExists: 'replace', keepMs: 456 });
      expect(await world.task(id)).toMatchObject({ pruneAt: startAt + 123 });
    },
  ],
  [
    'a repetition of a replacing enqueue replaces nothing',
    async (world) => {
      await world.put({ key: 'k' });
      const id = await world.put({ key: 'k', ifExists: 'replace' });
      await world.check(
        (broker) => broker.enqueue([newTask(id, { key: 'k', ifExists: 'replace' })]),
        [{ outcome: 'existing', taskId: id, state: 'queued' }],
      );
    },
  ],
  [
    'a keyed task that is snoozed keeps its key',
    async (world) => {
      const subject = await world.bring('running', { key: 'k' });
      await world.settle(subject, wait('scheduled', { charge: 'snooze', reason: 'snooze', error: null }));
      expect((await world.dump()).keys).toEqual({ k: { taskId: subject.id, until: null } });
    },
  ],
  [
    'in one step a settlement frees the key and the next enqueue takes it',
    async (world) => {
      const { id, token } = await world.bring('running', { key: 'k' });
      await world.broker().settle([settlement(id, token, finish('failed'))], claimRequest(world.nextToken()));
      await world.put({ key: 'k', ifExists: 'error' });
    },
  ],
];
