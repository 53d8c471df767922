/** Two workers over a store that fails, stands still and refuses, by seed: in the end every task has ended, and no timer is left. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededChance } from '../../src/core/chance.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import type { Verdict } from '../../src/core/task.ts';
import { sleep } from '../../src/core/time.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { createDefinition, createWorkerRig, type Handler } from '../support/worker-rig.ts';

interface Story {
  readonly seed: number;
  /** Share of calls that do not arrive, and of replies that are lost. */
  readonly failing: number;
  /** When the store goes away, and for how long; then how long both workers stand still. */
  readonly outageAt: number;
  readonly outageMs: number;
  readonly freezeMs: number;
  /** Longest run of a handler that behaves. */
  readonly runMs: number;
  /** Whether the store refuses whatever a run of one of the tasks came to. */
  readonly refuses: boolean;
}

const stories = fc.record<Story>({
  seed: fc.integer(),
  failing: fc.constantFrom(0, 0.1, 0.4),
  outageAt: fc.integer({ min: 0, max: 20_000 }),
  outageMs: fc.constantFrom(0, 5_000, 40_000),
  freezeMs: fc.constantFrom(0, 0, 45_000),
  runMs: fc.constantFrom(10, 200, 3_000),
  refuses: fc.boolean(),
});

/** Ends that a worker does not tell, or not alone. */
const isOfEngine = ({ reason }: Verdict): boolean =>
  reason !== null && ['lease_lost', 'crash_loop', 'timeout', 'expired'].includes(reason);

/** Of five slots. */
const endlessMax = 3;
const policy = '{"attempts":3,"delayMs":500}';
const workerOptions = { leaseMs: 10_000, graceMs: 1_000 } as const;

function play(story: Story) {
  const chance = seededChance(story.seed);
  let endless = 0;
  const handler: Handler = async (_, context) => {
    const roll = chance.float();
    if (roll < 0.1) throw new Error('it failed');
    // A slot that never comes back is gone for good: as many as leave some, for a worker replaces only a tenth of them.
    if (roll < 0.15 && endless++ < endlessMax) return new Promise(() => {});
    if (roll < 0.2) return sleep(rig.clock, 30_000);
    await sleep(rig.clock, chance.float() * story.runMs, context.signal);
    context.log.info('nearly done');
    context.progress(1);
    return 1;
  };
  const rig = createWorkerRig({ a: handler }, { ...workerOptions, concurrency: 3, chance, services: 'always' });
  const { clock, store } = rig;
  const definitions = [createDefinition('a', handler)];
  const second = createWorker({ ...workerOptions, store, definitions, clock, chance, concurrency: 2 });
  return { rig, chance, workers: [rig.worker, second] };
}

test('whatever the store and the clock do to two workers, every task ends within its attempts', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async (story) => {
      const { rig, chance, workers } = play(story);
      const { clock, faults, memory } = rig;
      let isAway = false;
      faults.waitMs = () => chance.float() * 40;
      faults.loseReply = () => chance.float() < story.failing;
      faults.fail = (method) =>
        isAway || chance.float() < story.failing ? taskFlowError('STORE_UNREACHABLE', { problem: method }) : null;
      const ids = await rig.enqueue(
        ...Array.from({ length: 20 }, (_, index) => ({
          policy,
          timeoutMs: 5_000,
          expiresInMs: index % 5 === 0 ? 25_000 : null,
        })),
      );
      const settle = memory.settle.bind(memory);
      if (story.refuses)
        memory.settle = async (settlements, claim) => {
          if (
            settlements.some(
              ({ lease, ranMs, verdict }) => lease.taskId === ids[3] && ranMs !== null && !isOfEngine(verdict),
            )
          )
            throw new Error('A constraint failed.');
          return settle(settlements, claim);
        };
      for (const worker of workers) worker.start();
      await clock.advance(story.outageAt);
      isAway = true;
      await clock.advance(story.outageMs);
      isAway = false;
      clock.freeze(story.freezeMs);
      await clock.advance(200_000);
      faults.fail = null;
      faults.loseReply = null;
      await clock.advance(400_000);
      for (const id of ids) {
        const task = await rig.task(id);
        expect(task).toMatchObject({ state: expect.stringMatching(/^(succeeded|failed|cancelled)$/) });
        expect(task.attempt).toBeLessThanOrEqual(3);
      }
      const stopped = Promise.all(workers.map((worker) => worker.stop({ drainMs: 100 })));
      await clock.advance(40_000);
      await stopped;
      expect(clock.timers()).toBe(0);
    }),
    { numRuns: 30 },
  );
});
