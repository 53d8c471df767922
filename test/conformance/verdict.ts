/** settle: what a verdict makes of a task: diversions, charges, attempt rows, fields. */

import { expect } from 'vitest';
import type { Charge, Verdict } from '../../src/core/task.ts';
import { beat, finish, heartbeatRequest, sampleError, settlement, startAt, wait } from './samples.ts';
import { judgeAlone, outcomesOf } from './settle.ts';
import type { Case } from './world.ts';

const succeeded = finish('succeeded', { keepMs: 777 });
/** Verdicts on a task whose cancellation was requested, and where each ends. */
const diversions: readonly { verdict: Verdict; strict: boolean; to: string; diverted: boolean; keepMs: number }[] = [
  { verdict: succeeded, strict: false, to: 'succeeded', diverted: false, keepMs: 777 },
  { verdict: succeeded, strict: true, to: 'cancelled', diverted: true, keepMs: 777 },
  { verdict: finish('failed', { keepMs: 778 }), strict: false, to: 'cancelled', diverted: true, keepMs: 778 },
  { verdict: finish('cancelled', { keepMs: 779 }), strict: true, to: 'cancelled', diverted: false, keepMs: 779 },
  { verdict: wait('scheduled'), strict: false, to: 'cancelled', diverted: true, keepMs: 555 },
  { verdict: wait('queued'), strict: true, to: 'cancelled', diverted: true, keepMs: 555 },
  { verdict: wait('blocked'), strict: false, to: 'cancelled', diverted: true, keepMs: 555 },
];

const diversionCases: readonly Case[] = diversions.map(({ verdict, strict, to, diverted, keepMs }) => [
  `after a cancel request a verdict of ${verdict.to}${strict ? ' under strictCancel' : ''} ends in ${to}`,
  async (world) => {
    const { id, token } = await world.bring('running', { strictCancel: strict, keepMs: 555, key: 'k' });
    await world.broker().cancel({ taskIds: [id], reason: 'why' });
    const { results } = await world.broker().settle([settlement(id, token, verdict)]);
    expect(results).toEqual([diverted ? { outcome: 'diverted', to: 'cancelled' } : { outcome: 'applied' }]);
    expect(await world.task(id)).toMatchObject({
      state: to,
      reason: to === 'cancelled' ? 'user' : null,
      result: to === 'cancelled' ? null : '{"ok":true}',
      error: verdict.error,
      pruneAt: startAt + keepMs,
      cancelRequestedAt: startAt,
      cancelReason: 'why',
    });
    expect(await outcomesOf(world, [id, token, verdict])).toEqual(['alreadyApplied']);
  },
]);

const charges: readonly Charge[] = ['attempt', 'crash', 'interruption', 'snooze', 'nothing'];
const chargeCases: readonly Case[] = charges.flatMap((charge): readonly Case[] => [
  [
    `charging ${charge} counts just that`,
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('queued', { charge }));
      const counts = {
        attempt: charge === 'attempt' ? 1 : 0,
        crashes: charge === 'crash' ? 1 : 0,
        interruptions: charge === 'interruption' ? 1 : 0,
      };
      expect(await world.task(subject.id)).toMatchObject({ ...counts, snoozes: charge === 'snooze' ? 1 : 0, epoch: 1 });
      expect(await world.claimAll()).toMatchObject([{ task: { attempt: counts.attempt + 1, epoch: 2 } }]);
    },
  ],
  [
    `charging ${charge} on a task that waited counts nothing`,
    async (world) => {
      const id = await world.put({ expiresInMs: 10 });
      await world.settle(
        { id, token: await judgeAlone(world, { id, token: '' }) },
        finish('cancelled', { charge, reason: 'expired' }),
      );
      expect(await world.task(id)).toMatchObject({ attempt: 0, crashes: 0, interruptions: 0, snoozes: 0 });
      expect((await world.store.record(id)).attempts).toEqual([]);
    },
  ],
  [
    `charging ${charge} at the end of a task shows the counts the run left`,
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, finish('failed', { charge, reason: 'crash_loop' }));
      expect(await world.task(subject.id)).toMatchObject({
        attempt: charge === 'attempt' ? 1 : 0,
        crashes: charge === 'crash' ? 1 : 0,
      });
    },
  ],
]);

const rowCases: readonly Case[] = [
  [
    'an attempt row has the numbers before the refund',
    async (world) => {
      const { id, token } = await world.bring('running');
      world.clock.move(500);
      await world
        .broker()
        .settle([
          settlement(id, token, wait('scheduled', { charge: 'snooze', reason: 'snooze', error: null }), { ranMs: 200 }),
        ]);
      expect((await world.store.record(id)).attempts).toEqual([
        {
          epoch: 1,
          attempt: 1,
          workerId: 'worker-1',
          claimedAt: startAt,
          startedAt: startAt + 300,
          endedAt: startAt + 500,
          to: 'scheduled',
          reason: 'snooze',
          error: null,
        },
      ]);
    },
  ],
  [
    'a run that never began and charges nothing leaves no attempt row',
    async (world) => {
      const { id, token } = await world.bring('running');
      const verdict = wait('queued', { charge: 'nothing', reason: 'released', error: null });
      await world.broker().settle([settlement(id, token, verdict, { ranMs: null })]);
      expect((await world.store.record(id)).attempts).toEqual([]);
    },
  ],
  [
    'a lease lost before its start leaves an attempt row',
    async (world) => {
      const { id, token } = await world.bring('running');
      const verdict = wait('queued', { charge: 'interruption', reason: 'lease_lost', error: null });
      await world.broker().settle([settlement(id, token, verdict, { ranMs: null })]);
      expect((await world.store.record(id)).attempts).toMatchObject([{ to: 'queued', startedAt: null }]);
    },
  ],
  [
    'an attempt row tells where a diverted run went',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().cancel({ taskIds: [id], reason: null });
      await world.broker().settle([settlement(id, token, wait('scheduled'))]);
      expect((await world.store.record(id)).attempts).toMatchObject([
        { to: 'cancelled', reason: 'user', error: sampleError },
      ]);
    },
  ],
  [
    'a success leaves no attempt row, the failures before it stay',
    async (world) => {
      const first = await world.bring('running');
      await world.settle(first, wait('queued'));
      const [second] = await world.claimAll();
      await world.settle({ id: first.id, token: second!.lease.token }, finish('succeeded'));
      expect((await world.store.record(first.id)).attempts).toMatchObject([
        { epoch: 1, to: 'queued', error: sampleError },
      ]);
    },
  ],
  [
    'logs and progress of the settlement are stored with it',
    async (world) => {
      const { id, token } = await world.bring('running');
      const line = { at: 9, level: 'warn', message: 'slow', fields: null } as const;
      await world
        .broker()
        .settle([
          settlement(id, token, finish('succeeded'), { logs: [line], progress: { done: 3, total: 3, note: null } }),
        ]);
      expect((await world.store.record(id)).logs).toEqual([{ ...line, epoch: 1 }]);
      expect(await world.task(id)).toMatchObject({ progress: { done: 3, total: 3, note: null } });
    },
  ],
];

const fieldCases: readonly Case[] = [
  [
    'a reported start is kept, not computed again',
    async (world) => {
      const { id, token } = await world.bring('running');
      world.clock.move(1_000);
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 900 })]));
      world.clock.move(1_000);
      await world.broker().settle([settlement(id, token, finish('succeeded'), { ranMs: 5 })]);
      expect(await world.task(id)).toMatchObject({ startedAt: startAt + 100 });
    },
  ],
  [
    'a start that was reported is dropped when the settlement says it never began',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 0 })]));
      await world.broker().settle([settlement(id, token, wait('queued'), { ranMs: null })]);
      expect(await world.task(id)).toMatchObject({ startedAt: null });
    },
  ],
  ...(
    [
      [10, null],
      [null, startAt + 5_000],
    ] as const
  ).map(
    ([ranMs, startBy]): Case => [
      `the start deadline ${ranMs === null ? 'stays when the handler never began' : 'is over when the handler has begun'}`,
      async (world) => {
        const { id, token } = await world.bring('running', { startWithinMs: 5_000 });
        await world.broker().settle([settlement(id, token, wait('queued'), { ranMs })]);
        expect(await world.task(id)).toMatchObject({ startBy });
      },
    ],
  ),
  [
    'a task that waits again keeps its life and loses its worker',
    async (world) => {
      const subject = await world.bring('running', { expiresInMs: 90_000 });
      world.clock.move(100);
      await world.settle(subject, wait('scheduled', { delayMs: 40 }));
      expect(await world.task(subject.id)).toMatchObject({
        dueAt: startAt + 140,
        expiresAt: startAt + 90_000,
        workerId: null,
        leaseUntil: null,
        claimedAt: null,
      });
    },
  ],
  [
    'a finished task tells who ran it last, and since when',
    async (world) => {
      const { id } = await world.bring('succeeded');
      expect(await world.task(id)).toMatchObject({
        workerId: 'worker-1',
        claimedAt: startAt,
        startedAt: startAt - 10,
        leaseUntil: null,
      });
    },
  ],
  [
    'a success clears the error of the run before',
    async (world) => {
      const first = await world.bring('running');
      await world.settle(first, wait('queued'));
      const [second] = await world.claimAll();
      await world.settle({ id: first.id, token: second!.lease.token }, finish('succeeded'));
      expect(await world.task(first.id)).toMatchObject({ error: null, reason: null, result: '{"ok":true}' });
    },
  ],
  [
    'a delay of nothing is due at once but promoted like any other',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled', { delayMs: 0 }));
      expect(await world.task(subject.id)).toMatchObject({ state: 'scheduled', dueAt: startAt });
      expect(await world.broker().promote(10)).toMatchObject({ promoted: 1 });
    },
  ],
  [
    'a result may be of any size the worker allowed, and null',
    async (world) => {
      const [big, none] = [await world.bring('running'), await world.bring('running')];
      const result = JSON.stringify('x'.repeat(256 * 1024 - 2));
      await world.settle(big, finish('succeeded', { result }));
      await world.settle(none, finish('succeeded', { result: null }));
      expect([(await world.task(big.id)).result === result, (await world.task(none.id)).result]).toEqual([true, null]);
    },
  ],
];

export const verdictCases: readonly Case[] = [...diversionCases, ...chargeCases, ...rowCases, ...fieldCases];
