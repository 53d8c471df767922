/** Settings and schedules follow into the record, and come back from it when the live store has lost them. */

import { expect, test } from 'vitest';
import { newTask, sampleId } from '../../test/conformance/samples.ts';
import { fireOf, minute, newSchedule } from '../../test/conformance/schedule-samples.ts';
import { createLive, createRig, type Live } from '../../test/support/recorder-rig.ts';

/** Sets one of everything. */
async function configureAll(live: Live): Promise<void> {
  await live.configure('queue', 'mail', { pause: { by: 'ada', reason: 'no mails today' }, max: 7 });
  await live.configure('group', 'acme', { weight: 3 });
  await live.configure('limit', 'smtp', { max: 2, rate: { count: 5, perMs: 1_000 } });
  await live.schedules.put([newSchedule('nightly'), newSchedule('hourly')]);
  await live.schedules.pause(['nightly'], { by: 'bob', reason: null });
  await live.schedules.fire([fireOf('hourly')]);
}

async function settingsOf(live: Live) {
  const [mail] = (await live.getQueues()).filter(({ name }) => name === 'mail');
  return {
    mail: mail && { max: mail.max, pause: mail.pause?.reason },
    groups: (await live.getGroups(null, 10)).map(({ name, weight }) => [name, weight]),
    limits: (await live.getLimits(null, 10)).map(({ name, max, rate }) => [name, max, rate?.count]),
    schedules: (await live.schedules.list(null, 10)).map(({ name, pause, next }) => [name, pause?.by, next?.at]),
  };
}

test('a wiped store gets back what people had set, before anything that was paused can run', async () => {
  const rig = await createRig();
  const first = rig.recorder();
  await configureAll(rig.live);
  await rig.live.enqueue([newTask(sampleId(1), { queue: 'mail' })]);
  await rig.caughtUp();
  await first.stop();
  const before = await settingsOf(rig.live);
  rig.live = createLive(rig.clock, 9);
  const order: string[] = [];
  const { restore, configure } = rig.live;
  const noted =
    <Given extends unknown[], Answer>(what: (given: Given) => string, call: (...given: Given) => Answer) =>
    (...given: Given): Answer => {
      order.push(what(given));
      return call(...given);
    };
  Object.assign(rig.live, {
    restore: noted(() => 'tasks', restore),
    configure: noted(([, name]) => name, configure),
  });
  rig.recorder();
  await rig.caughtUp();
  expect(await settingsOf(rig.live)).toEqual(before);
  expect(order).toEqual(['acme', 'smtp', 'mail', 'tasks']);
  expect(before.schedules).toEqual([
    ['hourly', undefined, minute(2).at],
    ['nightly', 'bob', minute(1).at],
  ]);
});

test('what was set in a wiped store since is not set back, and a schedule put anew is paused as it was', async () => {
  const rig = await createRig();
  const first = rig.recorder();
  await configureAll(rig.live);
  await rig.caughtUp();
  await first.stop();
  await rig.clock.advance(1_000);
  rig.live = createLive(rig.clock, 9);
  await rig.live.configure('queue', 'mail', { max: 1 });
  await rig.live.schedules.put([newSchedule('nightly')]);
  rig.recorder();
  await rig.caughtUp();
  expect(await settingsOf(rig.live)).toMatchObject({
    mail: { max: 1, pause: 'no mails today' },
    schedules: [
      ['hourly', undefined, minute(2).at],
      ['nightly', 'bob', expect.any(Number)],
    ],
  });
});

test('the record follows what is set and unset, whichever recorder was there', async () => {
  const rig = await createRig();
  const first = rig.recorder();
  await configureAll(rig.live);
  await rig.caughtUp();
  await first.stop();
  const second = rig.recorder();
  await rig.live.configure('queue', 'mail', { pause: null, max: null });
  await rig.live.schedules.delete(['nightly']);
  await rig.caughtUp();
  const names = async () => (await rig.recording.settings(null, 10)).map(({ kind, name }) => `${kind} ${name}`);
  expect(await names()).toEqual(['group acme', 'limit smtp', 'schedule hourly']);
  await second.stop();
  first.start();
  await rig.live.configure('queue', 'mail', { pause: { by: 'ada', reason: 'no mails today' }, max: 7 });
  await rig.caughtUp();
  expect(await names()).toEqual(['group acme', 'limit smtp', 'queue mail', 'schedule hourly']);
});
