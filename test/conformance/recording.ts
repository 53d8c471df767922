/** What a record does, for every database it can be in. */

import { expect, test } from 'vitest';
import type { TaskBody } from '../../src/broker/broker.ts';
import { refuseRecord } from '../../src/broker/sql/refuse-record.ts';
import { createSqlBroker } from '../../src/broker/sql/sql-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import type { CreateDatabase } from '../support/record-databases.ts';
import { cursorCases } from './recording-cursor.ts';
import { formCases } from './recording-form.ts';
import { movedCases } from './recording-moved.ts';
import {
  batchOf,
  bodyOf,
  createRecord,
  eventOf,
  everything,
  failing,
  life,
  lines,
  nobody,
  type RecordingCases,
  rowsOf,
  run,
  succeeded,
} from './recording-samples.ts';
import { settingCases } from './recording-settings.ts';
import { newTask, sampleError, sampleId, startAt } from './samples.ts';

export function conformRecording(storeName: string, createDatabase: CreateDatabase): void {
  const cases = Object.entries(casesOf);
  test.each(cases)(`${storeName}: %s`, { timeout: 60_000 }, async (_sentence, show) => {
    const clock = { now: startAt };
    const { driver, close } = await createDatabase(clock);
    try {
      await show(createRecord(driver), clock);
    } finally {
      await close();
    }
  });
}

const casesOf: RecordingCases = {
  ...cursorCases,
  ...formCases,
  ...settingCases,
  ...movedCases,

  'stores nothing of another life, or from another place': async (record) => {
    await record.take([eventOf('enqueue', bodyOf(1), null)], [bodyOf(1)]);
    const before = await everything(record.driver);

    const two = bodyOf(2);
    expect(await record.recording.record(batchOf(0, [eventOf('enqueue', two, null)], [two]))).toBe(false);
    expect(await record.recording.record(batchOf(1, [eventOf('enqueue', two, null)], [two], 'other'))).toBe(false);
    expect(await everything(record.driver)).toEqual(before);
  },

  'leaves nothing half done, wherever it is interrupted': async (record) => {
    const first = [
      bodyOf(1),
      bodyOf(2, { state: 'running', workerId: 'w', version: 2 }),
      succeeded(3, { flowId: sampleId(3) }),
    ];
    await record.take(
      first.map((body) => eventOf('enqueue', body, null)),
      first,
    );
    const before = await everything(record.driver);
    const next = [
      succeeded(1, { dependsOn: [{ taskId: sampleId(3), onFailure: 'fail' }] }),
      bodyOf(2, { state: 'scheduled', version: 3 }, { attempts: [run()], logs: lines(2) }),
      bodyOf(4, { flowId: sampleId(3), state: 'running', workerId: 'w' }),
    ];
    const events = [
      ...next.map((body) => eventOf('settle', body, 'running')),
      eventOf('remove', succeeded(3), 'succeeded', { to: null, version: 4, at: startAt + 20 }),
    ];
    const { seq } = await record.recording.cursor();
    let steps = 0;
    for (let failAt = 0, isDone = false; !isDone; failAt++) {
      steps = 0;
      const recording = createSqlRecording(failing(record.driver, () => steps++ === failAt));
      isDone = (await recording.record(batchOf(seq, events, next)).catch(() => false)) === true;
      if (!isDone) expect(await everything(record.driver), `after ${failAt} statements`).toEqual(before);
    }

    expect(steps).toBeGreaterThan(10);
    expect(await record.ids('state:succeeded')).toEqual([sampleId(1)]);
    expect(await record.ids('state:running')).toEqual([sampleId(4)]);
  },

  'sets aside what the database refuses, and stores the rest': async (record) => {
    const good = Array.from({ length: 40 }, (_each, index) => succeeded(index + 10));
    const bad = [succeeded(3, { priority: 12 }), bodyOf(1, { state: 'running', version: -1 })];
    const none = { task: { id: sampleId(2), state: 'failed' }, attempts: [], logs: [] } as unknown as TaskBody;
    const bodies = [...good.slice(0, 20), ...bad, none, ...good.slice(20)];

    expect(
      await record.take(
        bodies.map((body) => eventOf('settle', succeeded(1), 'running', { taskId: body.task.id })),
        bodies,
      ),
    ).toBe(true);

    expect(await record.ids('')).toHaveLength(good.length);
    const aside = await record.recording.unrecorded(10);
    expect(await record.recording.losses(10)).toEqual({ gap: null, unrecorded: aside });
    expect(aside.map(({ taskId }) => taskId).sort()).toEqual([sampleId(1), sampleId(2), sampleId(3)]);
    for (const { problem, seq, at } of aside) {
      expect(problem).toMatch(/\w/);
      expect({ seq, at }).toEqual({ seq: bodies.length, at: startAt });
    }
    expect((await record.history.facets()).views).toEqual({ succeeded: good.length });
  },

  'forgets that a task was set aside when a later version of it can be stored': async (record) => {
    const bad = bodyOf(1, { priority: 12 });
    await record.take([eventOf('enqueue', bad, null)], [bad]);

    await record.take([eventOf('update', bodyOf(1, { version: 2 }), 'queued')], [bodyOf(1, { version: 2 })]);

    expect(await record.recording.unrecorded(10)).toEqual([]);
    expect(await record.ids('')).toEqual([sampleId(1)]);
  },

  'ends a task that is gone from the live store as its event tells': async (record) => {
    const running = bodyOf(1, { state: 'running', workerId: 'w', version: 2, keepMs: 500 });
    await record.take([eventOf('enqueue', running, null)], [running]);

    await record.take([eventOf('settle', succeeded(1), 'running', { at: startAt + 16 })], []);

    const [task] = await record.recording.tasks([sampleId(1)]);
    expect(task).toMatchObject({
      state: 'succeeded',
      version: 3,
      finishedAt: startAt + 16,
      pruneAt: startAt + 516,
      result: null,
    });
    expect(await record.recording.unfinished(null, 10)).toEqual([]);
    expect(await record.ids('state:running')).toEqual([]);
    expect((await record.history.facets()).views).toEqual({ succeeded: 1 });
  },

  'keeps a task that the live store has pruned, and not one that was removed': async (record) => {
    const bodies = [succeeded(1), succeeded(2)];
    await record.take(
      bodies.map((body) => eventOf('settle', body, 'running')),
      bodies,
    );

    await record.take(
      [
        eventOf('prune', succeeded(1), 'succeeded', { to: null, version: 4 }),
        eventOf('remove', succeeded(2), 'succeeded', { to: null, version: 4 }),
      ],
      [],
    );

    expect(await record.ids('')).toEqual([sampleId(1)]);
    expect((await record.history.events(0, 100)).map(({ kind }) => kind)).toEqual(['settle', 'settle', 'remove']);
  },

  'follows a live store that went back, and forgets what it has lost': async (record) => {
    const lost = bodyOf(1, { version: 5, state: 'scheduled', epoch: 2 }, { attempts: [run(), run({ epoch: 2 })] });
    const other = succeeded(2, { version: 3 });
    await record.take([eventOf('settle', lost, 'running'), eventOf('settle', other, 'running')], [lost, other]);
    expect(await record.recording.follow({ incarnation: life, seq: 2 }, { incarnation: life, seq: 1 }, null)).toBe(
      true,
    );

    const ended = succeeded(1, { version: 4 });
    const failed = succeeded(2, { state: 'failed', result: null, finishedAt: startAt + 30 });
    await record.take([eventOf('settle', ended, 'running'), eventOf('settle', failed, 'running')], [ended, failed]);

    expect(await record.recording.tasks([1, 2].map(sampleId))).toEqual([ended.task, failed.task]);
    expect((await record.history.task(sampleId(1)))?.attempts).toEqual([]);
    expect(await record.recording.unfinished(null, 10)).toEqual([]);
    expect((await record.history.facets()).views).toEqual({ succeeded: 1, failed: 1 });
  },

  'takes tasks that come before their events, as those of a batch that is too large do': async (record) => {
    const body = succeeded(1);
    await record.take([], [body]);
    await record.take([eventOf('settle', body, 'running', { at: startAt + 16 })], []);

    expect(await record.ids('state:succeeded')).toEqual([sampleId(1)]);
    const [minute] = await record.history.minutes({ from: 0, to: Number.MAX_SAFE_INTEGER });
    expect(minute).toMatchObject({ succeeded: 1, waitMs: 5, runMs: 10 });
  },

  'replaces a former life with all that belonged to it': async (record) => {
    const former = bodyOf(1, { version: 9 }, { attempts: [run()], logs: lines(3) });
    await record.take([eventOf('settle', former, 'running')], [former]);

    const later = bodyOf(1, { createdAt: startAt + 50 });
    await record.take([eventOf('enqueue', later, null)], [later]);

    expect(await record.history.task(sampleId(1))).toMatchObject({ task: { version: 1 }, attempts: [], logs: [] });
    expect((await record.history.facets()).views).toEqual({ queued: 1 });
  },

  'stores a run and its lines once, however often they come': async (record) => {
    const runs = [run(), run({ epoch: 2, endedAt: startAt + 30, reason: 'timeout' })];
    for (const [version, attempts] of [runs.slice(0, 1), runs, runs].entries()) {
      const logs = [...lines(2), ...lines(version, 2)];
      const body = bodyOf(1, { version: version + 1 }, { attempts, logs });
      await record.take([eventOf('settle', body, 'running')], [body]);
    }

    const told = await record.history.task(sampleId(1));
    expect(told?.attempts).toEqual(runs);
    expect(told?.logs).toEqual([...lines(2), ...lines(2, 2)]);
  },

  'keeps the newest lines of a task that says more than are kept': async (record) => {
    const max = limits.logLinesMax;
    const first = bodyOf(1, {}, { logs: lines(max - 5) });
    await record.take([eventOf('settle', first, 'running')], [first]);
    const second = bodyOf(1, { version: 2 }, { logs: lines(max, 1, 20) });
    await record.take([eventOf('settle', second, 'running')], [second]);

    expect((await record.history.task(sampleId(1)))?.logs).toEqual(lines(max, 1, 20));
    expect(await rowsOf(record.driver, 'logs')).toBe(max);
  },

  'gives back tasks as they were, in the order they are asked for': async (record) => {
    const dependsOn = [{ taskId: sampleId(2), onFailure: 'ignore' }] as const;
    const limitRules = [{ name: 'l', max: 2, rate: null }];
    const running = bodyOf(1, {
      state: 'running',
      workerId: 'w',
      leaseUntil: startAt + 9,
      claimedAt: startAt,
      limits: limitRules,
      dependsOn,
      group: 'g',
      tags: ['t'],
    });
    const parent = succeeded(2, { error: sampleError });
    await record.take([eventOf('claim', running, 'queued')], [running, parent]);

    expect(await record.recording.tasks([sampleId(2), sampleId(9), sampleId(1)])).toEqual([
      parent.task,
      null,
      running.task,
    ]);
    expect(await record.recording.unfinished(null, 10)).toEqual([running.task]);
    expect(await record.recording.unfinished(sampleId(1), 10)).toEqual([]);
    expect(await record.ids('state:running')).toEqual([sampleId(1)]);
  },

  'leaves nothing beside a task that has ended, or is gone': async (record) => {
    const started = [1, 2, 3].map((number) => bodyOf(number, { state: 'running', workerId: 'w' }));
    await record.take(
      started.map((body) => eventOf('claim', body, 'queued')),
      started,
    );
    const retried = eventOf('retry', bodyOf(9), 'failed');
    const removed = eventOf('remove', succeeded(3), 'succeeded', { to: null, version: 9 });
    await record.take([eventOf('settle', succeeded(1), 'running'), retried, removed], [succeeded(1), succeeded(2)]);

    expect(await record.recording.unfinished(null, 10)).toEqual([]);
    expect(await rowsOf(record.driver, 'timeline')).toBe(0);
  },

  'removes finished tasks, and no others': async (record) => {
    const bodies = [succeeded(1), bodyOf(2)];
    await record.take(
      bodies.map((body) => eventOf('enqueue', body, null)),
      bodies,
    );

    expect(await record.recording.remove([sampleId(1), sampleId(2), sampleId(3), sampleId(1)])).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(await record.ids('')).toEqual([sampleId(2)]);
    expect((await record.history.facets()).views).toEqual({ queued: 1 });
    expect((await record.history.events(0, 10)).at(-1)).toMatchObject({
      kind: 'remove',
      items: [{ taskId: sampleId(1), version: 4 }],
    });
  },

  'counts right while tasks are recorded, removed and pruned at once': async (record, clock) => {
    const bodies = Array.from({ length: 60 }, (_each, index) => succeeded(index));
    await record.take(
      bodies.map((body) => eventOf('settle', body, 'running')),
      bodies,
    );
    clock.now += 2_000;
    const later = bodies.map(({ task }, index) =>
      succeeded(index, { version: task.version + 2, createdAt: startAt + 1 }),
    );
    const [other, ids] = [createRecord(record.driver), bodies.map(({ task }) => task.id)];
    const pruning = [0, 1, 2, 3].map(() => other.recording.prune(10));
    const removing = [0, 20, 40].map((from) => record.recording.remove(ids.slice(from, from + 10)));
    const taking = record.take(
      later.map((body) => eventOf('settle', body, 'running')),
      later,
    );
    await Promise.all([...pruning, ...removing, taking]);

    const there = await record.ids('');
    expect((await record.history.facets()).views).toEqual(there.length === 0 ? {} : { succeeded: there.length });
  },

  'prunes what is past its time, but for what an unfinished task still needs': async (record, clock) => {
    const child = bodyOf(3, { state: 'blocked', dependsOn: [{ taskId: sampleId(2), onFailure: 'fail' }] });
    const bodies = [
      succeeded(1, { flowId: sampleId(1) }),
      succeeded(2),
      child,
      succeeded(4, { pruneAt: startAt + 99_000 }),
    ];
    await record.take(
      bodies.map((body) => eventOf('enqueue', body, null)),
      bodies,
    );

    clock.now += 2_000;
    expect(await record.recording.prune(10)).toBe(1);
    expect(await record.ids('')).toEqual([4, 3, 2].map(sampleId));
    expect(await record.history.flows({ after: null, limit: 10 })).toEqual({ flowIds: [], next: null });
    clock.now += limits.eventsKeepMs;
    expect(await record.recording.prune(10)).toBe(1);
    expect((await record.history.events(0, 100)).map(({ kind }) => kind)).toEqual(['prune', 'prune']);
  },

  'counts an end in the minute of its event, with what it waited and ran': async (record) => {
    const retried = bodyOf(1, { version: 4, generation: 2, epoch: 1 }, { attempts: [run({ to: 'failed' })] });
    const at = startAt + 90_000;
    const later = succeeded(2, { claimedAt: at - 30, startedAt: at - 20, finishedAt: at, dueAt: at - 50 });
    const restored = succeeded(3);
    const events = [
      eventOf('settle', retried, 'running', { to: 'failed', version: 3, at: startAt + 9 }),
      eventOf('retry', retried, 'failed', { at: startAt + 10 }),
      eventOf('restore', restored, null, { at: startAt + 11 }),
      eventOf('settle', later, 'running', { at }),
    ];
    await record.take(events, [retried, later, restored]);

    const minutes = await record.history.minutes({ from: 0, to: Number.MAX_SAFE_INTEGER });
    const none = {
      queue: 'default',
      name: 'mail.send',
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      retried: 0,
      waitMs: 0,
      runMs: 0,
    };
    expect(minutes).toEqual([
      { ...none, at: startAt - (startAt % 60_000), failed: 1, runMs: 7 },
      { ...none, at: at - (at % 60_000), succeeded: 1, waitMs: 20, runMs: 20 },
    ]);
    const told = await record.history.task(sampleId(1));
    expect(told?.timeline).toContainEqual({
      at: startAt + 10,
      kind: 'retried',
      text: 'Retried by hand: generation 2.',
    });
  },

  'is no live store, and none that has tasks becomes a record': async ({ driver, recording }) => {
    const broker = createSqlBroker({
      driver,
      chance: seededChance(1),
      kind: 'sqlite',
      open: async () => {},
      close: async () => {},
      durability: () => ({ durability: 'volatile', detail: '' }),
    });
    await broker.open();
    await broker.enqueue([newTask(sampleId(1))]);
    const isElsewhere = expect.objectContaining({ code: 'RECORD_ELSEWHERE' });
    await expect(recording.follow(nobody, { incarnation: life, seq: 0 }, null)).rejects.toEqual(isElsewhere);
    expect(await recording.cursor()).toEqual(nobody);

    await broker.cancel({ taskIds: [sampleId(1)], reason: null });
    expect(await recording.follow(nobody, { incarnation: life, seq: 0 }, null)).toBe(true);
    await expect(refuseRecord(driver)).rejects.toEqual(isElsewhere);
  },
};
