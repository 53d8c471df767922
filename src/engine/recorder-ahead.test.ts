/** A recorder behind its store: tasks are read as they stand, and the events that led there come after. */

import { expect, test } from 'vitest';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../../test/conformance/samples.ts';
import { createRig } from '../../test/support/recorder-rig.ts';
import type { Recording } from '../history/recording.ts';

test('what a person did is told of a task that was recorded ahead of it', async () => {
  const rig = await createRig();
  await rig.live.enqueue([newTask(sampleId(1)), newTask(sampleId(2))]);
  // As many events as one read brings: what was done comes with the next ones, and the tasks as they stand before.
  for (let number = 3; number <= 101; number++) await rig.live.enqueue([newTask(sampleId(number), { queue: 'other' })]);
  await rig.live.update([{ taskId: sampleId(1), version: null, patch: { priority: 1 } }]);
  await rig.live.cancel({ taskIds: [sampleId(2)], reason: null });
  await rig.live.retry([sampleId(2)]);
  rig.recorder();
  await rig.caughtUp();
  const told = await Promise.all([1, 2].map((number) => rig.history().task(sampleId(number))));
  expect(told.map((record) => record?.notes.map(({ kind }) => kind))).toEqual([['edited'], ['retried']]);
});

test('a task that was recorded ahead of its claim is handed on from there', async () => {
  const rig = await createRig();
  await rig.live.enqueue([newTask(sampleId(1))]);
  // As many events as one read brings.
  for (let number = 2; number <= 100; number++) await rig.live.enqueue([newTask(sampleId(number), { queue: 'other' })]);
  const [claimed] = await rig.live.claim(claimRequest(sampleToken(1), { limit: 1 }));
  const lease = { taskId: sampleId(1), token: sampleToken(1), epoch: claimed?.task.epoch ?? 0 };
  const { outbox } = rig.live;
  let isFirst = true;
  const bodies: typeof outbox.bodies = async (taskIds) => {
    const found = await outbox.bodies(taskIds);
    if (isFirst) await rig.live.settle([settlement(sampleId(1), lease, finish('succeeded'))]);
    isFirst = false;
    return found;
  };
  const recorded: unknown[] = [];
  const record: Recording['record'] = async (batch) => {
    const answer = await rig.recording.record(batch);
    recorded.push([batch.bodies.length, batch.handedOn?.length, answer]);
    return answer;
  };
  rig.recorder({ outbox: { ...outbox, bodies }, recording: { ...rig.recording, record } });
  await rig.caughtUp();
  expect(recorded).toEqual([
    [100, 0, true],
    [0, 1, true],
  ]);
  expect(await rig.recording.tasks([sampleId(1)])).toMatchObject([{ state: 'succeeded', version: 3 }]);
});
