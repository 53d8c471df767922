/** Checks that a worker keeps its leases, and what it does when the store is away or its answers are lost. */
import { expect, test } from 'vitest';
import { createWorkerRig, type Handler } from '../../test/support/worker-rig.ts';
import { taskFlowError } from '../core/errors.ts';
import { sleep } from '../core/time.ts';

/** Ends when it is told to, as a good handler does. */
const obedient: Handler = (_, context) =>
  new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));

test('leases are kept for as long as a handler runs', async () => {
  const rig = createWorkerRig({ a: obedient }, { services: 'always', leaseMs: 30_000 });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(600_000);
  expect(await rig.task(id)).toMatchObject({ state: 'running', attempt: 1, epoch: 1 });
  await rig.broker.cancel({ taskIds: [id], reason: null });
  await rig.clock.advance(100);
  await rig.worker.stop();
});

test('a store that is away: the handler goes on, its result arrives when the store is back', async () => {
  const gate = Promise.withResolvers<string>();
  const rig = createWorkerRig({ a: () => gate.promise });
  const troubles: string[] = [];
  rig.worker
    .on('trouble', (event) => troubles.push(event.service))
    .on('recovered', (event) => troubles.push(`${event.service} recovered`));
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  rig.faults.fail = () => taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
  gate.resolve('kept');
  await rig.clock.advance(20_000);
  expect((await rig.task(id)).state).toBe('running');
  rig.faults.fail = null;
  await rig.clock.advance(6_000);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', result: '"kept"', attempt: 1 });
  expect(troubles).toContain('worker');
  expect(troubles).toContain('worker recovered');
  await rig.worker.stop();
});

test('when the lease can no longer be trusted the handler is told and may speak no more', async () => {
  let spoke: unknown = null;
  let reason: unknown = null;
  const rig = createWorkerRig({
    a: (_, context) =>
      new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          reason = context.signal.reason;
          try {
            context.progress(1);
          } catch (error) {
            spoke = error;
          }
          reject(context.signal.reason);
        });
      }),
  });
  await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  rig.faults.fail = (method) =>
    method === 'heartbeat' ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' }) : null;
  await rig.clock.advance(26_800);
  expect(reason).toBeNull();
  await rig.clock.advance(400);
  expect(reason).toMatchObject({ code: 'LEASE_LOST' });
  expect(spoke).toMatchObject({ code: 'LEASE_LOST' });
});

test('a lost reply of a claim costs nothing: the same tasks come again, once', async () => {
  let runs = 0;
  const rig = createWorkerRig({ a: () => ++runs });
  const ids = await rig.enqueue({}, {}, {});
  let lost = 0;
  rig.faults.loseReply = (method) => method === 'claim' && lost++ === 0;
  rig.worker.start();
  await rig.clock.advance(1_000);
  expect(runs).toBe(3);
  for (const id of ids) expect(await rig.task(id)).toMatchObject({ state: 'succeeded', attempt: 1, epoch: 1 });
  await rig.worker.stop();
});

test('a lost reply of a settlement costs nothing either', async () => {
  let runs = 0;
  const rig = createWorkerRig({ a: () => ++runs }, { concurrency: 2 });
  const ids = await rig.enqueue({}, {}, {}, {});
  let lost = 0;
  rig.faults.loseReply = (method) => method === 'settle' && lost++ < 2;
  rig.worker.start();
  await rig.clock.advance(3_000);
  expect(runs).toBe(4);
  for (const id of ids) expect(await rig.task(id)).toMatchObject({ state: 'succeeded', attempt: 1, epoch: 1 });
  expect(rig.events.filter((event) => event === 'succeeded a')).toHaveLength(4);
  await rig.worker.stop();
});

test('an answer that comes late does not stretch the trust', async () => {
  let lostAt = 0;
  const rig = createWorkerRig({
    a: (_, context) =>
      new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          lostAt = rig.clock.elapsed();
          reject(context.signal.reason);
        });
      }),
  });
  await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(1_500);
  // Beats that were sent at about 10 s arrive, and their answers come back 4 s later; then nothing does.
  rig.faults.waitMs = () => 2_000;
  await rig.clock.advance(14_000);
  rig.faults.fail = (method) =>
    method === 'heartbeat' ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' }) : null;
  await rig.clock.advance(40_000);
  const sentAt = rig.beats.findLast((beat) => beat.arrived)?.sentAt ?? 0;
  expect(sentAt).toBeGreaterThan(5_000);
  expect(lostAt).toBeGreaterThan(0);
  expect(Math.abs(lostAt - sentAt - 27_000)).toBeLessThan(50);
});

test('a lease that was given to another ends the handler, and its result is not sent', async () => {
  const gate = Promise.withResolvers<string>();
  let reason: unknown = null;
  const rig = createWorkerRig({
    a: (_, context) => {
      context.signal.addEventListener('abort', () => {
        reason = context.signal.reason;
      });
      return gate.promise;
    },
  });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  const me = (await rig.task(id)).workerId ?? '';
  const [judged] = await rig.memory.claimOverdue({ token: 'j', limit: 1, leaseMs: 5_000, deadWorkers: [me] });
  const verdict = {
    to: 'failed',
    reason: 'error',
    charge: 'attempt',
    keepMs: 1_000_000,
    result: null,
    error: null,
  } as const;
  await rig.memory.settle([
    {
      lease: judged?.lease ?? { taskId: id, token: 'j', epoch: 1 },
      verdict,
      ranMs: null,
      progress: null,
      logs: [],
      spawn: [],
    },
  ]);
  await rig.clock.advance(12_000);
  expect(reason).toMatchObject({ code: 'LEASE_LOST' });
  rig.calls.length = 0;
  gate.resolve('too late');
  await rig.clock.advance(10);
  expect(rig.calls).not.toContain('settle');
  expect(rig.worker.running).toBe(0);
  await rig.worker.stop();
});

test('news of a heartbeat that failed comes with the next one', async () => {
  const rig = createWorkerRig({
    a: (_, context) => {
      context.progress(5, 10);
      return obedient(null, context);
    },
  });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  let failures = 0;
  rig.faults.fail = (method) =>
    method === 'heartbeat' && failures++ === 0 ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' }) : null;
  await rig.clock.advance(2_500);
  expect(failures).toBeGreaterThan(1);
  expect((await rig.task(id)).progress).toMatchObject({ done: 5 });
  await rig.memory.cancel({ taskIds: [id], reason: null });
  await rig.clock.advance(100);
  await rig.worker.stop();
});

test('a handler does not begin with a lease that is nearly over: it is renewed first', async () => {
  let callsBefore: readonly string[] = [];
  const rig = createWorkerRig({
    a: () => {
      callsBefore = [...rig.calls];
    },
  });
  await rig.enqueue({});
  rig.faults.loseReply = (method) => method === 'claim';
  rig.worker.start();
  await rig.clock.advance(1);
  rig.faults.loseReply = null;
  rig.faults.fail = () => taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
  await rig.clock.advance(22_000);
  rig.faults.fail = null;
  rig.calls.length = 0;
  await rig.clock.advance(3_000);
  expect(callsBefore).toContain('claim');
  expect(callsBefore.lastIndexOf('heartbeat')).toBeGreaterThan(callsBefore.indexOf('claim'));
  await rig.worker.stop();
});

test('a settlement that the store always refuses holds up neither the others nor new work, and is given up', async () => {
  const rig = createWorkerRig({ a: (input) => (input as { bad?: boolean }).bad ?? false }, { leaseMs: 10_000 });
  const [bad = '', ...good] = await rig.enqueue({ payload: '{"bad":true}' }, {}, {});
  const settle = rig.broker.settle.bind(rig.broker);
  const dropped: string[] = [];
  rig.worker.on('dropped', (event) => dropped.push(event.id));
  rig.broker.settle = async (settlements, claim) => {
    if (settlements.some(({ lease }) => lease.taskId === bad)) throw new Error('CHECK constraint failed');
    return settle(settlements, claim);
  };
  rig.worker.start();
  await rig.clock.advance(1_000);
  for (const id of good) expect((await rig.task(id)).state).toBe('succeeded');
  await rig.clock.advance(5_000);
  const [late = ''] = await rig.enqueue({});
  await rig.clock.advance(3_000);
  expect((await rig.task(late)).state).toBe('succeeded');
  expect(dropped).toEqual([bad]);
  await rig.clock.advance(20_000);
  expect(await rig.memory.claimOverdue({ token: 'j', limit: 9, leaseMs: 1, deadWorkers: [] })).toMatchObject([
    { task: { id: bad }, reason: 'lease_expired' },
  ]);
  await rig.worker.stop();
});

test('a task that was claimed long after its claim was first sent has its whole life', async () => {
  const rig = createWorkerRig({ a: obedient });
  let lost = 0;
  rig.faults.fail = (method) =>
    method === 'claim' && lost++ < 20 ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' }) : null;
  rig.worker.start();
  await rig.clock.advance(15_000);
  const [id = ''] = await rig.enqueue({ expiresInMs: 20_000 });
  await rig.clock.advance(19_000);
  expect((await rig.task(id)).state).toBe('running');
  await rig.clock.advance(1_100);
  expect(await rig.task(id)).toMatchObject({ state: 'cancelled', reason: 'expired' });
  await rig.worker.stop();
});

test('a worker that was away for so long that the store forgot it publishes its tasks again', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  await rig.clock.advance(100);
  rig.faults.fail = () => taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
  await rig.clock.advance(100_000);
  await rig.memory.prune(1);
  expect(await rig.memory.getWorkers()).toEqual([]);
  rig.faults.fail = null;
  await rig.clock.advance(25_000);
  expect(await rig.memory.getWorkers()).toMatchObject([{ definitions: [{ name: 'a' }] }]);
  await rig.worker.stop();
});

test('no word of many runs is lost when the first call of a heartbeat fails', async () => {
  const runs = 1_200;
  const rig = createWorkerRig(
    {
      a: (_, context) => {
        context.progress(7);
        return obedient(null, context);
      },
    },
    { concurrency: runs },
  );
  const half = Array.from({ length: runs / 2 }, () => ({}));
  const ids = [...(await rig.enqueue(...half)), ...(await rig.enqueue(...half))];
  let failures = 0;
  rig.faults.fail = (method) =>
    method === 'heartbeat' && rig.worker.running === runs && failures++ === 0
      ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' })
      : null;
  rig.worker.start();
  await rig.clock.advance(4_000);
  expect(failures).toBeGreaterThan(1);
  for (const id of ids) expect((await rig.task(id)).progress).toMatchObject({ done: 7 });
  const stopping = rig.worker.stop({ drainMs: 0 });
  await rig.clock.advance(100);
  await stopping;
});

test('a store that is slow to answer has two heartbeats of a worker at most', async () => {
  const rig = createWorkerRig({ a: obedient }, { leaseMs: 6_000 });
  const heartbeat = rig.broker.heartbeat.bind(rig.broker);
  let [sent, under, most] = [0, 0, 0];
  rig.broker.heartbeat = async (request) => {
    sent += 1;
    most = Math.max(most, ++under);
    await sleep(rig.clock, 2_500);
    under -= 1;
    return heartbeat(request);
  };
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(60_000);
  expect(most).toBe(2);
  expect(sent).toBeGreaterThan(20);
  // Late as they are, they have renewed the lease all the time.
  expect(await rig.task(id)).toMatchObject({ state: 'running', epoch: 1 });
  rig.broker.heartbeat = heartbeat;
  await rig.memory.cancel({ taskIds: [id], reason: null });
  await rig.clock.advance(10_000);
  await rig.worker.stop();
});

test('the leases of what runs are renewed while a settlement hangs, and so is that of the settled', async () => {
  const rig = createWorkerRig({ a: obedient, b: () => 1 }, { leaseMs: 2_000 });
  const [runs = '', ends = ''] = await rig.enqueue({ name: 'a' }, { name: 'b' });
  const { promise: free, resolve } = Promise.withResolvers<void>();
  const settle = rig.broker.settle.bind(rig.broker);
  const heartbeat = rig.broker.heartbeat.bind(rig.broker);
  rig.broker.settle = async (...parameters) => {
    await free;
    return settle(...parameters);
  };
  // As a store does that locks rows: who asks for that of a settlement waits for its end.
  const blocked: string[] = [];
  rig.broker.heartbeat = async (request) => {
    if (request.beats.some(({ lease }) => lease.taskId === ends)) {
      blocked.push(ends);
      await free;
    }
    return heartbeat(request);
  };
  rig.worker.start();
  await rig.clock.advance(30_000);
  expect(await rig.task(runs)).toMatchObject({ state: 'running', epoch: 1 });
  expect((await rig.task(runs)).leaseUntil).toBeGreaterThan(rig.clock.now());
  expect(blocked).toEqual([ends]);
  resolve();
  await rig.clock.advance(1_000);
  expect((await rig.task(ends)).state).toBe('succeeded');
  await rig.memory.cancel({ taskIds: [runs], reason: null });
  await rig.clock.advance(1_000);
  await rig.worker.stop();
});

test('what waits for the renewal of its lease, and not for a slot, is not handed back', async () => {
  const rig = createWorkerRig({ a: () => 1 }, { leaseMs: 6_000 });
  const [id = ''] = await rig.enqueue({});
  const heartbeat = rig.broker.heartbeat.bind(rig.broker);
  const claim = rig.broker.claim.bind(rig.broker);
  // The claim takes more of the lease than a handler may begin with, and the renewal longer than a task waits for a slot.
  rig.broker.claim = async (request) => {
    const claimed = await claim(request);
    if (claimed.length > 0) await sleep(rig.clock, 4_500);
    return claimed;
  };
  rig.broker.heartbeat = async (request) => {
    const answer = await heartbeat(request);
    if (request.beats.length > 0) await sleep(rig.clock, 1_800);
    return answer;
  };
  rig.worker.start();
  await rig.clock.advance(10_000);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', epoch: 1 });
  expect(rig.events).not.toContain('released a');
  await rig.worker.stop();
});

test('a slow store is asked for no more tasks than find a slot before they would go back', async () => {
  const rig: ReturnType<typeof createWorkerRig> = createWorkerRig({ a: () => sleep(rig.clock, 20) });
  const ids: string[] = [];
  for (let batch = 0; batch < 5; batch++)
    ids.push(...(await rig.enqueue(...Array.from({ length: 1_000 }, () => ({})))));
  rig.faults.waitMs = () => 400;
  rig.worker.start();
  await rig.clock.advance(15_000);
  expect(rig.events.filter((event) => event === 'released a')).toEqual([]);
  rig.faults.waitMs = null;
  await rig.clock.advance(15_000);
  expect((await rig.task(ids.at(-1) ?? '')).state).toBe('succeeded');
  await rig.worker.stop();
  // Four seconds of the processor, which others may want too.
}, 90_000);
