/** Calls whose reply is lost after they were executed, and which are sent again, as every loop above the seam does. */

import { describe, expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import type { FaultProxy } from '../../src/servers/fault-proxy.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  overdueRequest,
  sampleId,
  sampleToken,
  settlement,
  wait,
} from '../conformance/samples.ts';

/** Two empty stores at the same moment, one of them behind a proxy; gone when the test is. */
export interface ProxiedStores {
  readonly proxy: FaultProxy;
  readonly proxied: Broker;
  readonly direct: Broker;
  /** Matches the request after which a call is done. */
  readonly request: RegExp;
}

type Call = (broker: Broker) => Promise<unknown>;

interface Case {
  readonly call: string;
  readonly before: readonly Call[];
  readonly run: Call;
  /** What the call answers when it is sent again. */
  readonly again: unknown;
}

const ids = [1, 2, 3, 4].map(sampleId);
const enqueue: Call = (broker) =>
  broker.enqueue(ids.map((id, index) => newTask(id, index === 3 ? { key: 'one', delayMs: 1_000 } : {})));
const claim: Call = (broker) => broker.claim(claimRequest(sampleToken(1), { limit: 2 }));
const settle: Call = (broker) => broker.settle([settlement(sampleId(1), sampleToken(1), finish('succeeded'))]);
/** Due at once, and for the promoter to say so. */
const putOff: Call = (broker) =>
  broker.settle([settlement(sampleId(1), sampleToken(1), wait('scheduled', { delayMs: 0 }))]);
const more = claimRequest(sampleToken(2), { limit: 1 });
const tasks = (...numbers: readonly number[]) => numbers.map((number) => ({ task: { id: sampleId(number) } }));

const cases: readonly Case[] = [
  { call: 'enqueue', before: [], run: enqueue, again: ids.map(() => ({ outcome: 'existing' })) },
  { call: 'claim', before: [enqueue], run: claim, again: tasks(1, 2) },
  {
    call: 'heartbeat',
    before: [enqueue, claim],
    run: (broker) =>
      broker.heartbeat(heartbeatRequest([beat({ taskId: sampleId(1), token: sampleToken(1), epoch: 1 })])),
    again: { beats: ['ok'] },
  },
  { call: 'settle', before: [enqueue, claim], run: settle, again: { results: [{ outcome: 'alreadyApplied' }] } },
  {
    call: 'settle that claims the next',
    before: [enqueue, claim],
    run: (broker) => broker.settle([settlement(sampleId(1), sampleToken(1), finish('succeeded'))], more),
    again: { results: [{ outcome: 'alreadyApplied' }], claimed: tasks(3) },
  },
  {
    call: 'settle that retries',
    before: [enqueue, claim],
    run: (broker) => broker.settle([settlement(sampleId(1), sampleToken(1), wait('scheduled'))]),
    again: { results: [{ outcome: 'alreadyApplied' }] },
  },
  {
    call: 'claimOverdue',
    before: [enqueue, claim],
    run: (broker) => broker.claimOverdue(overdueRequest(sampleToken(9), { deadWorkers: ['worker-1'] })),
    again: [{ task: { id: sampleId(1) } }, { task: { id: sampleId(2) } }],
  },
  {
    call: 'cancel',
    before: [enqueue, claim],
    run: (broker) => broker.cancel({ taskIds: [sampleId(1), sampleId(3)], reason: 'a person' }),
    again: [{ outcome: 'requested' }, { outcome: 'already' }],
  },
  { call: 'remove', before: [enqueue, claim, settle], run: (broker) => broker.remove([sampleId(1)]), again: [{}] },
  { call: 'promote', before: [enqueue, claim, putOff], run: (broker) => broker.promote(10), again: { promoted: 0 } },
];

/** Declares that each of them does once what it does, and answers what it answered, or that it is done. */
export function declareLostReplies(store: string, connect: () => Promise<ProxiedStores>): void {
  describe(`on ${store}, sent again after its reply was lost`, () => {
    test.each(cases)('$call does nothing twice', async ({ before, run, again }) => {
      const { proxy, proxied, direct, request } = await connect();
      for (const call of before) for (const broker of [proxied, direct]) await call(broker);
      await run(direct);
      proxy.inflict({ kind: 'cutAt', request, nth: 1, executed: true });
      await expect(run(proxied)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      const answer = await repeat(() => run(proxied));
      expect(answer).toMatchObject(again as object);
      expect(await contents(proxied)).toEqual(await contents(direct));
      expect(proxy.hits()).toBe(1);
    });
  });
}

/** As every loop does: until the store is there again. */
export async function repeat<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (tries === 500 || !(error instanceof TaskFlowError) || error.code !== 'STORE_UNREACHABLE') throw error;
      await sleep(systemClock, 20);
    }
  }
}

async function contents(broker: Broker): Promise<unknown> {
  const events = await broker.outbox?.read(0, 1_000, 0);
  return { tasks: await broker.getTasks(ids), queues: await broker.getQueues(), events };
}
