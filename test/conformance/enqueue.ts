/** enqueue: every field arrives, times are the store's, and an id stands for one call. */

import { expect } from 'vitest';
import type { NewTask } from '../../src/core/task.ts';
import { insertedTask, newTask, startAt } from './samples.ts';
import type { Case } from './world.ts';

const hostileTexts: Readonly<Record<string, string>> = {
  'quotes and a semicolon': `'; DROP TABLE task; --"\`\\`,
  emoji: '👩‍👩‍👧‍👦 ünï©ode 𝒳',
  'right-to-left and zero width': '\u202Eabc\u200B\uFEFF',
  'a line break and a tab': 'a\nb\tc\r\n',
  placeholders: '$1 ?1 :name @x %s {0} {{x}}',
  'JSON path and wildcards': '$.a[0] %_* "x"',
  'a key separator': 'a\u001Fb/c:d|e',
};

export const enqueueCases: readonly Case[] = [
  [
    'a long batch of tasks that differ, with known and repeated ids among them, answers for each',
    async (world) => {
      const known = newTask(world.nextId());
      await world.broker().enqueue([known]);
      const tasks = Array.from({ length: 180 }, (_, index) =>
        newTask(world.nextId(), { delayMs: index % 131 === 0 ? 5 : 0, priority: index > 140 ? 1 : 5 }),
      );
      tasks[3] = known;
      tasks[50] = tasks[8] ?? known;
      const results = await world.broker().enqueue(tasks);
      const wanted = tasks.map(({ id }, index) => ({
        outcome: index === 3 || index === 50 ? 'existing' : 'created',
        taskId: id,
        state: index % 131 === 0 ? 'scheduled' : 'queued',
      }));
      expect(results).toEqual(wanted);
      expect(
        (await world.broker().getTasks(tasks.map(({ id }) => id))).map((task) => [task?.priority, task?.state]),
      ).toEqual(tasks.map(({ priority }, index) => [priority, wanted[index]?.state]));
    },
  ],
  [
    'every field of a task is stored as given',
    async (world) => {
      const task = newTask(world.nextId(), {
        schemaVersion: 'v3',
        priority: 2,
        timeoutMs: 9_000,
        strictCancel: true,
        key: 'k',
        keyForMs: 77,
        ifExists: 'error',
        flowId: 'flow-1',
        tags: ['eu', 'nightly'],
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        keepMs: 5,
      });
      await world.check(
        (broker) => broker.enqueue([task]),
        [{ outcome: 'created', taskId: task.id, state: 'queued' }],
        {
          [task.id]: insertedTask(task, startAt),
          'key k': { taskId: task.id, until: null },
        },
      );
    },
  ],
  [
    'each of a batch keeps what it does not have in common with its neighbours',
    async (world) => {
      const own: readonly Partial<NewTask>[] = [
        { name: 'mail.other' },
        { queue: 'other' },
        { payload: '{"to":"eve"}' },
        { schemaVersion: 'v3' },
        { priority: 2 },
        { startWithinMs: 60_000 },
        { expiresInMs: 60_000 },
        { timeoutMs: 9_000 },
        { policy: '{"attempts":7}' },
        { keepMs: 5 },
        { strictCancel: true },
        { limits: [{ name: 'smtp', max: 2, rate: null }] },
        { flowId: 'flow-1' },
        { tags: ['eu'] },
        { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
        { firedBy: { schedule: 'nightly', at: startAt, input: 'stored' } },
      ];
      const tasks = own.flatMap((given) => [newTask(world.nextId()), newTask(world.nextId(), given)]);
      await world.broker().enqueue(tasks);
      const stored = await world.broker().getTasks(tasks.map(({ id }) => id));
      expect(stored).toEqual(
        tasks.map((task) =>
          insertedTask(task, startAt, {
            startBy: task.startWithinMs === null ? null : startAt + task.startWithinMs,
            expiresAt: task.expiresInMs === null ? null : startAt + task.expiresInMs,
          }),
        ),
      );
    },
  ],
  [
    "a delay is counted from the store's now",
    async (world) => {
      const task = newTask(world.nextId(), { delayMs: 250 });
      await world.check(
        (broker) => broker.enqueue([task]),
        [{ outcome: 'created', taskId: task.id, state: 'scheduled' }],
        {
          [task.id]: insertedTask(task, startAt, { state: 'scheduled', dueAt: startAt + 250 }),
        },
      );
    },
  ],
  [
    'an absolute time to come makes it scheduled',
    async (world) => {
      const id = await world.put({ at: startAt + 1 });
      expect(await world.task(id)).toMatchObject({ state: 'scheduled', dueAt: startAt + 1 });
    },
  ],
  [
    'an absolute time that has passed means now',
    async (world) => {
      const id = await world.put({ at: startAt - 5_000 });
      expect(await world.task(id)).toMatchObject({ state: 'queued', dueAt: startAt });
    },
  ],
  [
    'an absolute time of just now makes it queued',
    async (world) => {
      expect(await world.task(await world.put({ at: startAt }))).toMatchObject({ state: 'queued', dueAt: startAt });
    },
  ],
  [
    'the start deadline counts from being due, the life from now',
    async (world) => {
      const id = await world.put({ delayMs: 1_000, startWithinMs: 50, expiresInMs: 70 });
      expect(await world.task(id)).toMatchObject({
        dueAt: startAt + 1_000,
        startBy: startAt + 1_050,
        expiresAt: startAt + 70,
      });
    },
  ],
  [
    'a batch answers in its order and shares one now',
    async (world) => {
      const ids = [world.nextId(), world.nextId(), world.nextId()].reverse();
      const results = await world.broker().enqueue(ids.map((id) => newTask(id)));
      expect(results.map(({ taskId }) => taskId)).toEqual(ids);
    },
  ],
  [
    'the same id twice in one batch is one task',
    async (world) => {
      const task = newTask(world.nextId());
      await world.check(
        (broker) => broker.enqueue([task, task]),
        [
          { outcome: 'created', taskId: task.id, state: 'queued' },
          { outcome: 'existing', taskId: task.id, state: 'queued' },
        ],
        { [task.id]: expect.anything() },
      );
    },
  ],
  [
    'an empty batch does nothing',
    async (world) => {
      await world.check((broker) => broker.enqueue([]), []);
    },
  ],
  ...(['name', 'payload', 'key'] as const).map(
    (field): Case => [
      `the same id with another ${field} is a conflict`,
      async (world) => {
        const id = await world.put();
        const other = newTask(id, { [field]: '"other"' });
        await world.check((broker) => broker.enqueue([other]), [{ outcome: 'conflict', taskId: id, of: id }]);
      },
    ],
  ),
  [
    'the same id with another queue, priority, delay or policy is a repetition: a person may have moved the task',
    async (world) => {
      const id = await world.put();
      const again = newTask(id, { queue: 'other', priority: 0, delayMs: 5, policy: '{}', tags: ['x'], keepMs: 1 });
      await world.check((broker) => broker.enqueue([again]), [{ outcome: 'existing', taskId: id, state: 'queued' }]);
    },
  ],
  [
    'an id is free again when its task was removed',
    async (world) => {
      const { id } = await world.bring('succeeded');
      await world.broker().remove([id]);
      await world.check(
        (broker) => broker.enqueue([newTask(id)]),
        [{ outcome: 'created', taskId: id, state: 'queued' }],
        { [id]: expect.anything() },
      );
    },
  ],
  [
    'one event tells of the whole batch',
    async (world) => {
      const ids = [world.nextId(), world.nextId()];
      await world.broker().enqueue(ids.map((id) => newTask(id)));
      const item = {
        name: 'mail.send',
        queue: 'default',
        version: 1,
        from: null,
        to: 'queued',
        reason: null,
        attempt: 0,
      };
      expect(await world.store.events()).toEqual([
        { seq: expect.any(Number), at: startAt, kind: 'enqueue', items: ids.map((taskId) => ({ taskId, ...item })) },
      ]);
    },
  ],
  [
    'a repetition leaves no event',
    async (world) => {
      const id = await world.put();
      await world.broker().enqueue([newTask(id)]);
      expect(await world.store.events()).toHaveLength(1);
    },
  ],
  ...Object.entries(hostileTexts).map(
    ([what, text]): Case => [
      `${what} in every text come back unchanged`,
      async (world) => {
        const task = newTask(world.nextId(), {
          name: text,
          queue: text,
          payload: JSON.stringify({ [text]: text }),
          key: text,
          tags: [text],
          flowId: text,
          traceparent: text,
          schemaVersion: text,
        });
        await world.broker().enqueue([task]);
        expect(await world.task(task.id)).toEqual(insertedTask(task, startAt));
        await world.broker().configure('queue', text, { pause: { by: text, reason: text } });
        await world.broker().cancel({ taskIds: [task.id], reason: text });
        expect(await world.task(task.id)).toMatchObject({ cancelReason: text });
        expect(await world.broker().getQueues()).toMatchObject([{ name: text, pause: { by: text, reason: text } }]);
      },
    ],
  ),
  [
    'a payload of one mebibyte comes back unchanged',
    async (world) => {
      const payload = JSON.stringify('é'.repeat(524_287));
      const id = await world.put({ payload });
      expect(Buffer.byteLength(payload)).toBe(1024 * 1024);
      expect((await world.task(id)).payload === payload).toBe(true);
    },
  ],
  [
    'payload, policy and results are text: nothing in them is normalised',
    async (world) => {
      const payload = '{ "b":1.0,"a" : 12345678901234567890, "a":2 }';
      expect(await world.task(await world.put({ payload, policy: ' {} ' }))).toMatchObject({ payload, policy: ' {} ' });
    },
  ],
  [
    'the longest durations are exact',
    async (world) => {
      const tenYears = 10 * 365 * 24 * 3_600_000;
      const id = await world.put({
        delayMs: tenYears,
        startWithinMs: tenYears,
        expiresInMs: tenYears,
        keepMs: tenYears,
        timeoutMs: tenYears,
      });
      expect(await world.task(id)).toMatchObject({
        dueAt: startAt + tenYears,
        startBy: startAt + 2 * tenYears,
        expiresAt: startAt + tenYears,
        keepMs: tenYears,
      });
    },
  ],
  [
    'what was accepted is there after a reopening',
    async (world) => {
      const { id } = await world.bring('running', { key: 'k' });
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      const before = await world.dump();
      await world.reopen();
      expect(await world.dump()).toEqual(before);
      expect(before.tasks[id]).toMatchObject({ state: 'running' });
    },
  ],
  [
    "the store's clock does not follow the wall clock back",
    async (world) => {
      world.clock.move(10_000);
      await world.put();
      world.clock.move(-60_000);
      expect(await world.task(await world.put({ delayMs: 5 }))).toMatchObject({
        createdAt: startAt + 10_000,
        dueAt: startAt + 10_005,
      });
    },
  ],
  [
    'nor after a reopening',
    async (world) => {
      world.clock.move(10_000);
      await world.put();
      world.clock.move(-60_000);
      await world.reopen();
      expect(await world.task(await world.put())).toMatchObject({ createdAt: startAt + 10_000 });
    },
  ],
];
