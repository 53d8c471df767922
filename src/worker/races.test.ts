/** Checks by many random orders that claims, settlements, lost replies and a stop never lose or repeat a task. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWorkerRig, type WorkerRig } from '../../test/support/worker-rig.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { sleep } from '../core/time.ts';

interface Story {
  readonly seed: number;
  readonly tasks: number;
  readonly concurrency: number;
  readonly stopAtMs: number;
  readonly drainMs: number;
  /** Share of calls that do not arrive, and of replies that are lost. */
  readonly failing: number;
  /** When a person cancels every third task. */
  readonly cancelAtMs: number;
}

const stories = fc.record<Story>({
  seed: fc.integer(),
  tasks: fc.integer({ min: 1, max: 30 }),
  concurrency: fc.integer({ min: 1, max: 8 }),
  stopAtMs: fc.integer({ min: 0, max: 400 }),
  drainMs: fc.integer({ min: 0, max: 300 }),
  failing: fc.constantFrom(0, 0, 0.1, 0.3),
  cancelAtMs: fc.integer({ min: 0, max: 1_000 }),
});

async function play(
  story: Story,
): Promise<{ readonly rig: WorkerRig; readonly ids: readonly string[]; readonly finishedRuns: Map<string, number> }> {
  const chance = seededChance(story.seed);
  const finishedRuns = new Map<string, number>();
  const rig = createWorkerRig(
    {
      async a(_, context) {
        await sleep(rig.clock, chance.float() * 120, context.signal);
        finishedRuns.set(context.id, (finishedRuns.get(context.id) ?? 0) + 1);
      },
    },
    { concurrency: story.concurrency, chance },
  );
  rig.faults.waitMs = () => chance.float() * 30;
  rig.faults.fail = () =>
    chance.float() < story.failing ? taskFlowError('STORE_UNREACHABLE', { problem: 'away' }) : null;
  rig.faults.loseReply = () => chance.float() < story.failing;
  const ids = await rig.enqueue(...Array.from({ length: story.tasks }, () => ({})));
  rig.worker.start();
  const cancelled = ids.filter((_, index) => index % 3 === 0);
  rig.clock.schedule(story.cancelAtMs, () => void rig.memory.cancel({ taskIds: cancelled, reason: null }));
  await rig.clock.advance(story.stopAtMs);
  let stopped = false;
  const stopping = rig.worker.stop({ drainMs: story.drainMs }).then(() => {
    stopped = true;
  });
  await rig.clock.advance(2_000);
  rig.faults.fail = null;
  rig.faults.loseReply = null;
  await rig.clock.advance(20_000);
  expect(stopped).toBe(true);
  await stopping;
  return { rig, ids, finishedRuns };
}

test('whenever a worker stops, each task has run once, is cancelled, or is back, and nothing is left behind', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async (story) => {
      const { rig, ids, finishedRuns } = await play(story);
      for (const id of ids) {
        const task = await rig.task(id);
        if (task.state === 'succeeded') expect(finishedRuns.get(id)).toBe(1);
        else if (task.state !== 'cancelled') {
          expect(task.cancelRequestedAt).toBeNull();
          expect(task).toMatchObject({ state: 'queued', attempt: 0 });
          expect(finishedRuns.has(id)).toBe(false);
        }
      }
      expect(rig.clock.timers()).toBe(0);
      expect(rig.worker.running).toBe(0);
    }),
    { numRuns: 300 },
  );
}, 90_000);
