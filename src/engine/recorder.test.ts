/** The recorder from a memory store into an SQLite record: it loses nothing, whoever fails, and says so when the store did. */

import { expect, test } from 'vitest';
import { claimRequest, finish, newTask, sampleId, settlement, startAt } from '../../test/conformance/samples.ts';
import { createLive, createRig, type Live, type Rig } from '../../test/support/recorder-rig.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { onNextTurn } from '../core/time.ts';
import type { Recording } from '../history/recording.ts';

async function finishOne(live: Live, id: string, token: string): Promise<void> {
  const [claimed] = await live.claim(claimRequest(token, { limit: 1 }));
  const epoch = claimed?.task.epoch ?? 0;
  await live.settle([settlement(id, { taskId: id, token, epoch }, finish('succeeded'))]);
}

const token = (number: number): string => number.toString(16).padStart(32, '0');

const states = async (rig: Rig, ids: readonly string[]) =>
  (await rig.recording.tasks(ids)).map((task) => task && `${task.state} ${task.version}`);

test('every task reaches the record as it stands, what moved on in between once', async () => {
  const rig = await createRig();
  await rig.live.enqueue([1, 2, 3].map((number) => newTask(sampleId(number))));
  await finishOne(rig.live, sampleId(1), token(1));
  rig.recorder();
  await rig.caughtUp();
  expect(await states(rig, [1, 2, 3].map(sampleId))).toEqual(['succeeded 3', 'queued 1', 'queued 1']);
  await rig.live.cancel({ taskIds: [sampleId(2)], reason: 'no need' });
  await rig.live.remove([sampleId(1)]);
  await rig.caughtUp();
  expect(await states(rig, [1, 2, 3].map(sampleId))).toEqual([null, 'cancelled 2', 'queued 1']);
  expect((await rig.history().facets()).views).toEqual({ cancelled: 1, queued: 1 });
});

test('what a task goes through soon after a look is stored once, and a stop does not wait for more of it', async () => {
  const rig = await createRig();
  const stored: string[][] = [];
  const record: Recording['record'] = async (batch) => {
    const answer = await rig.recording.record(batch);
    stored.push(batch.bodies.map(({ task }) => `${task.state} ${task.version}`));
    return answer;
  };
  const recorder = rig.recorder({ recording: { ...rig.recording, record } });
  await rig.live.enqueue([newTask(sampleId(1))]);
  await expect.poll(() => stored).toEqual([['queued 1']]);
  await rig.live.enqueue([newTask(sampleId(2), { priority: 0 })]);
  for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => onNextTurn(resolve));
  await finishOne(rig.live, sampleId(2), token(1));
  await rig.clock.advance(limits.recordPaceMs);
  await expect.poll(() => stored).toEqual([['queued 1'], ['succeeded 3']]);
  await rig.live.enqueue([newTask(sampleId(3))]);
  await recorder.stop();
  expect(stored).toHaveLength(2);
});

test('a task that comes again under its id is followed anew, whatever was recorded of the one before', async () => {
  const rig = await createRig();
  await rig.live.enqueue([newTask(sampleId(1))]);
  // As many events as one read brings: the end of the task comes with the next ones, and its row before.
  for (let number = 2; number <= 100; number++) await rig.live.enqueue([newTask(sampleId(number), { queue: 'other' })]);
  await finishOne(rig.live, sampleId(1), token(1));
  rig.recorder();
  await rig.caughtUp();
  await rig.live.remove([sampleId(1)]);
  await rig.clock.advance(1);
  await rig.live.enqueue([newTask(sampleId(1))]);
  await rig.caughtUp();
  const [claimed] = await rig.live.claim(claimRequest(token(2), { limit: 1 }));
  await rig.caughtUp();
  expect(await states(rig, [sampleId(1)])).toEqual(['running 2']);
  const lease = { taskId: sampleId(1), token: token(2), epoch: claimed?.task.epoch ?? 0 };
  await rig.live.settle([settlement(sampleId(1), lease, finish('succeeded', { result: '"second"' }))]);
  await rig.caughtUp();
  expect((await rig.recording.tasks([sampleId(1)]))[0]).toMatchObject({ state: 'succeeded', result: '"second"' });
});

test('tasks that are not recorded as their events tell are read whole', async () => {
  const rig = await createRig();
  await rig.live.enqueue([newTask(sampleId(1)), newTask(sampleId(2))]);
  const told: number[] = [];
  const record: Recording['record'] = async (batch) => {
    told.push(batch.handedOn?.length ?? 0);
    return told.length === 2 ? 'not as told' : rig.recording.record(batch);
  };
  rig.recorder({ recording: { ...rig.recording, record } });
  await rig.caughtUp();
  await finishOne(rig.live, sampleId(1), token(1));
  await rig.caughtUp();
  expect(told).toEqual([0, 1, 0]);
  expect(await states(rig, [1, 2].map(sampleId))).toEqual(['succeeded 3', 'queued 1']);
});

test('the outbox is trimmed behind what was recorded, and the last event of it stays as a mark', async () => {
  const rig = await createRig();
  rig.recorder();
  for (const number of [1, 2, 3]) await rig.live.enqueue([newTask(sampleId(number))]);
  await rig.caughtUp();
  await expect.poll(async () => (await rig.live.outbox.read(0, 10, 0)).map(({ seq }) => seq)).toEqual([3]);
});

test('two recorders at once store each change once', async () => {
  const rig = await createRig();
  rig.recorder();
  rig.recorder();
  for (let number = 1; number <= 60; number++) {
    await rig.live.enqueue([newTask(sampleId(number))]);
    if (number % 7 === 0) await rig.clock.advance(limits.recordIdleMs);
  }
  await rig.caughtUp();
  expect((await rig.history().facets()).views).toEqual({ queued: 60 });
  const events = await rig.history().events(0, 1_000);
  expect(events.flatMap(({ items }) => items.map(({ taskId }) => taskId))).toEqual(
    Array.from({ length: 60 }, (_, index) => sampleId(index + 1)),
  );
});

test.each(['read', 'bodies', 'record', 'record, its answer lost', 'trim', 'cursor'] as const)(
  'killed at "%s" it leaves nothing out and nothing twice to the next',
  async (step) => {
    const rig = await createRig();
    let isDead = false;
    const die = (): never => {
      isDead = true;
      throw taskFlowError('STORE_UNREACHABLE', { problem: `killed at ${step}` });
    };
    const at =
      <Given extends unknown[], Answer>(name: string, call: (...given: Given) => Promise<Answer>) =>
      async (...given: Given): Promise<Answer> => {
        if (isDead || name === step) die();
        const answer = await call(...given);
        if (step === `${name}, its answer lost`) die();
        return answer;
      };
    const { outbox } = rig.live;
    const mortal = rig.recorder({
      outbox: {
        ...outbox,
        read: at('read', outbox.read),
        bodies: at('bodies', outbox.bodies),
        trim: at('trim', outbox.trim),
      },
      recording: {
        ...rig.recording,
        cursor: at('cursor', rig.recording.cursor),
        record: at('record', rig.recording.record),
      },
    });
    await rig.live.enqueue([newTask(sampleId(1)), newTask(sampleId(2))]);
    await finishOne(rig.live, sampleId(1), token(1));
    await expect
      .poll(async () => {
        await rig.clock.advance(1_000);
        return isDead;
      })
      .toBe(true);
    await mortal.stop();
    rig.recorder();
    await rig.caughtUp();
    expect(await states(rig, [1, 2].map(sampleId))).toEqual(['succeeded 3', 'queued 1']);
    expect((await rig.history().facets()).views).toEqual({ succeeded: 1, queued: 1 });
    const kinds = (await rig.history().events(0, 100)).map(({ kind }) => kind);
    expect(kinds).toEqual(['enqueue', 'claim', 'settle']);
  },
);

test('more bytes than are held at once are stored in parts', async () => {
  const rig = await createRig();
  const payload = JSON.stringify('x'.repeat(limits.payloadBytesMax - 2));
  const ids = Array.from({ length: 24 }, (_, index) => sampleId(index + 1));
  for (let from = 0; from < ids.length; from += 4)
    await rig.live.enqueue(ids.slice(from, from + 4).map((id) => newTask(id, { payload })));
  const most: number[] = [];
  const record: Recording['record'] = (batch) => {
    most.push(batch.bodies.length);
    return rig.recording.record(batch);
  };
  rig.recorder({ recording: { ...rig.recording, record } });
  await rig.caughtUp();
  expect(await states(rig, ids)).toEqual(ids.map(() => 'queued 1'));
  expect(Math.max(...most)).toBeLessThanOrEqual(20);
});

test('what a wiped store had is brought back, and the gap is told', async () => {
  const rig = await createRig();
  const first = rig.recorder();
  await rig.live.enqueue([
    newTask(sampleId(1)),
    newTask(sampleId(2)),
    newTask(sampleId(3), { dependsOn: [{ taskId: sampleId(2), onFailure: 'fail' }] }),
    newTask(sampleId(4)),
  ]);
  await finishOne(rig.live, sampleId(1), token(1));
  await rig.caughtUp();
  await first.stop();
  rig.live = createLive(rig.clock, 9);
  rig.recorder();
  await rig.live.enqueue([newTask(sampleId(5))]);
  await rig.caughtUp();
  expect(rig.gaps).toEqual([{ from: startAt, to: expect.any(Number), restored: 3 }]);
  expect(await rig.recording.gaps(5)).toEqual(rig.gaps);
  const live = await rig.live.getTasks([1, 2, 3, 4, 5].map(sampleId));
  expect(live.map((task) => task?.state ?? null)).toEqual([null, 'queued', 'blocked', 'queued', 'queued']);
});

test('a gap is told although its recorder dies as soon as the record goes on', async () => {
  const rig = await createRig();
  const first = rig.recorder();
  await rig.live.enqueue([newTask(sampleId(1))]);
  await rig.caughtUp();
  await first.stop();
  rig.live = createLive(rig.clock, 9);
  let follows = 0;
  const follow: Recording['follow'] = async (...given) => {
    const answer = await rig.recording.follow(...given);
    follows += 1;
    if (follows === 1) throw new Error('the process is gone');
    return answer;
  };
  rig.recorder({ recording: { ...rig.recording, follow } });
  await rig.live.enqueue([newTask(sampleId(2))]);
  await rig.clock.advance(5_000);
  await rig.caughtUp();
  expect(await rig.recording.gaps(5)).toEqual([{ from: startAt, to: expect.any(Number), restored: 1 }]);
});

test('a store that was wiped and is soon further than before is not taken for the one of before', async () => {
  const rig = await createRig();
  const { live } = rig;
  const recorder = rig.recorder();
  await live.enqueue([newTask(sampleId(1))]);
  await rig.caughtUp();
  const fresh = createLive(rig.clock, 9);
  const { outbox } = live;
  // Between two looks: the next read finds events behind the cursor, of another life.
  const { read } = outbox;
  outbox.read = async (after, limit, waitMs) => {
    if (waitMs === 0) return read(after, limit, waitMs);
    Object.assign(live, fresh, { outbox });
    Object.assign(outbox, fresh.outbox);
    for (const number of [2, 3, 4]) await fresh.enqueue([newTask(sampleId(number))]);
    return fresh.outbox.read(after, limit, waitMs);
  };
  await rig.clock.advance(1_000);
  await rig.caughtUp();
  expect(rig.reports).toEqual([]);
  expect(rig.gaps).toMatchObject([{ restored: 1 }]);
  expect(await states(rig, [1, 2, 3, 4].map(sampleId))).toEqual(['queued 1', 'queued 1', 'queued 1', 'queued 1']);
  expect((await fresh.getTasks([sampleId(1)]))[0]?.state).toBe('queued');
  await recorder.stop();
});

test('a store that is wiped while its events are recorded loses none of the new ones', async () => {
  const rig = await createRig();
  const { live } = rig;
  const fresh = createLive(rig.clock, 9);
  let isWiped = false;
  const record: Recording['record'] = async (batch) => {
    const answer = await rig.recording.record(batch);
    if (!isWiped) {
      isWiped = true;
      const { outbox } = live;
      Object.assign(live, fresh, { outbox });
      Object.assign(outbox, fresh.outbox);
      for (const number of [4, 5, 6]) await fresh.enqueue([newTask(sampleId(number))]);
    }
    return answer;
  };
  await live.enqueue([1, 2, 3].map((number) => newTask(sampleId(number))));
  rig.recorder({ recording: { ...rig.recording, record } });
  await rig.caughtUp();
  expect(await states(rig, [4, 5, 6].map(sampleId))).toEqual(['queued 1', 'queued 1', 'queued 1']);
  expect(rig.reports.filter(({ kind }) => kind === 'failed')).toEqual([]);
});

test('a finished parent comes back with the child that waits', async () => {
  const rig = await createRig();
  rig.recorder();
  const [parent, other, child] = [1, 2, 3].map(sampleId) as [string, string, string];
  const dependsOn = [parent, other].map((taskId) => ({ taskId, onFailure: 'fail' as const }));
  await rig.live.enqueue([newTask(parent), newTask(other), newTask(child, { dependsOn })]);
  await finishOne(rig.live, parent, token(1));
  await rig.caughtUp();
  rig.live = createLive(rig.clock, 9);
  rig.recorder();
  await rig.caughtUp();
  await finishOne(rig.live, other, token(2));
  expect((await rig.live.getTasks([child]))[0]?.state).toBe('queued');
});

test('a finished parent that was removed holds nobody back who is brought back', async () => {
  const rig = await createRig();
  rig.recorder();
  const [parent, other, child] = [1, 2, 3].map(sampleId) as [string, string, string];
  const dependsOn = [parent, other].map((taskId) => ({ taskId, onFailure: 'fail' as const }));
  await rig.live.enqueue([newTask(parent), newTask(other), newTask(child, { dependsOn })]);
  await finishOne(rig.live, parent, token(1));
  await rig.live.remove([parent]);
  await rig.caughtUp();
  rig.live = createLive(rig.clock, 9);
  rig.recorder();
  await rig.caughtUp();
  await finishOne(rig.live, other, token(2));
  expect((await rig.live.getTasks([child]))[0]?.state).toBe('queued');
});

/** The same life as before the second enqueue, with other events under the numbers that were recorded. */
async function createBack(rig: Rig): Promise<Live> {
  const back = createLive(rig.clock, 1);
  await back.enqueue([newTask(sampleId(1))]);
  await rig.clock.advance(1);
  for (const number of [3, 4]) await back.enqueue([newTask(sampleId(number))]);
  expect((await back.info()).incarnation).toBe((await rig.live.info()).incarnation);
  return back;
}

test.each(['a recorder that was there', 'another recorder'])(
  'a store that went back behind what was recorded, and on from there, is noticed by %s',
  async (who) => {
    const rig = await createRig();
    await rig.live.enqueue([newTask(sampleId(1))]);
    const first = rig.recorder();
    await rig.caughtUp();
    await rig.live.enqueue([newTask(sampleId(2))]);
    await rig.caughtUp();
    const recordedAt = rig.clock.now();
    if (who === 'another recorder') await first.stop();
    const back = await createBack(rig);
    Object.assign(rig.live.outbox, back.outbox);
    Object.assign(rig.live, back, { outbox: rig.live.outbox });
    if (who === 'another recorder') rig.recorder();
    await rig.caughtUp();
    expect(rig.gaps).toMatchObject([{ from: expect.any(Number), restored: 1 }]);
    expect(rig.gaps[0]?.from).toBeLessThanOrEqual(recordedAt);
    expect(await states(rig, [1, 2, 3, 4].map(sampleId))).toEqual(['queued 1', 'queued 1', 'queued 1', 'queued 1']);
    expect((await back.getTasks([sampleId(2)]))[0]?.state).toBe('queued');
  },
);

test('a store that another record follows is refused', async () => {
  const rig = await createRig();
  await rig.live.enqueue([newTask(sampleId(1)), newTask(sampleId(2))]);
  await rig.live.outbox.trim(1);
  rig.recorder();
  await expect.poll(() => rig.reports.length).toBeGreaterThan(0);
  expect(rig.reports[0]).toMatchObject({ kind: 'failed', service: 'recorder', error: { code: 'RECORD_ELSEWHERE' } });
  expect(await rig.recording.cursor()).toEqual({ incarnation: null, seq: 0, last: null });
});

test('the record says how far it is behind', async () => {
  const rig = await createRig();
  expect(await rig.history().lagMs()).toBe(0);
  await rig.live.enqueue([newTask(sampleId(1))]);
  await rig.clock.advance(70);
  await rig.live.enqueue([newTask(sampleId(2))]);
  expect(await rig.history().lagMs()).toBe(70);
  rig.recorder();
  await rig.caughtUp();
  expect(await rig.history().lagMs()).toBe(0);
});

test('how far the record is behind is told while it cannot be reached, or does not answer', async () => {
  const rig = await createRig();
  const recorder = rig.recorder();
  await rig.live.enqueue([newTask(sampleId(1))]);
  await rig.caughtUp();
  await recorder.stop();
  await rig.clock.advance(70);
  const refusing = { cursor: () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'it is down' })) };
  expect(await rig.history(refusing).lagMs()).toBe(0);
  await rig.live.enqueue([newTask(sampleId(2))]);
  await rig.clock.advance(30);
  expect(await rig.history(refusing).lagMs()).toBe(30);
  const silent = rig.history({ cursor: () => new Promise(() => undefined) }).lagMs();
  await rig.clock.advance(limits.recordAskMs);
  expect(await silent).toBe(30 + limits.recordAskMs);
});
