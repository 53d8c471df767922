/** Checks what a worker does with tasks that an enqueue of its process hands over, and with an enqueue whose end nobody knows. */

import { expect, test } from 'vitest';
import { rest } from '../../test/support/manual-clock.ts';
import { createWorkerRig, type WorkerRig } from '../../test/support/worker-rig.ts';
import type { ClaimRequest, Offer, Taker } from '../broker/broker.ts';

/** A worker that waits for work, and its offer: the store does not ask by itself. */
async function offered(): Promise<{ rig: WorkerRig; offer: Offer; taker: Taker }> {
  const rig = createWorkerRig({ a: () => 1 });
  let taker: Taker = () => null;
  const { subscribe } = rig.memory;
  rig.memory.subscribe = (listener, given) => {
    taker = given ?? taker;
    return subscribe(listener);
  };
  rig.worker.start();
  await rig.clock.advance(10);
  return { rig, offer: taker() as Offer, taker: () => taker() };
}

const asked = (offer: Offer): ClaimRequest => offer.claim(['default']) as ClaimRequest;

test('a task goes to a worker of the same process without a call of the worker', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  await rig.clock.advance(10);
  const callsBefore = rig.calls.length;
  const [id = ''] = await rig.enqueue({});
  await rest();
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', attempt: 1, epoch: 1 });
  expect(rig.calls.slice(callsBefore)).not.toContain('claim');
  await rig.worker.stop();
});

test('while its claim is with an enqueue a worker claims nothing, and takes what comes of it', async () => {
  const { rig, offer, taker } = await offered();
  const request = asked(offer);
  const [id = ''] = await rig.enqueue({});
  await rig.clock.advance(3_000);
  expect((await rig.task(id)).state).toBe('queued');
  expect(taker()).toBeNull();
  offer.taken(await rig.memory.claim(request));
  await rest();
  expect((await rig.task(id)).state).toBe('succeeded');
  await rig.worker.stop();
});

test('when nobody knows whether it was claimed, the same claim is sent again', async () => {
  const { rig, offer } = await offered();
  const request = asked(offer);
  const [id = ''] = await rig.enqueue({});
  await rig.memory.claim(request);
  offer.failed();
  await rest();
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', attempt: 1, epoch: 1 });
  await rig.worker.stop();
});

test('it asks for nothing when other queues became claimable, and the same when it is asked twice', async () => {
  const { rig, offer } = await offered();
  expect(offer.claim(['other'])).toBeNull();
  expect(asked(offer)).toBe(asked(offer));
  offer.taken([]);
  await rig.worker.stop();
});

test('what comes while it stops is given back', async () => {
  const { rig, offer } = await offered();
  const request = asked(offer);
  const [id = ''] = await rig.enqueue({});
  const claimed = await rig.memory.claim(request);
  const stopping = rig.worker.stop();
  await rest();
  offer.taken(claimed);
  await rig.clock.advance(1_000);
  await stopping;
  expect(await rig.task(id)).toMatchObject({ state: 'queued', attempt: 0 });
});
