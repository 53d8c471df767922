// Which statement an enqueue is, and what is told behind it.

import { expect, test } from 'vitest';
import { newTask, sampleId } from '../../../test/conformance/samples.ts';
import { limits } from '../../core/limits.ts';
import type { SqlRow } from '../sql/driver.ts';
import { createMemory } from '../sql/step.ts';
import { createAttempts, createWholeEnqueue } from './whole-enqueue.ts';

function createRig() {
  let elapsed = 0;
  let answer: SqlRow = [1, 0];
  const sent: string[] = [];
  const taken: (string | null)[] = [];
  const enqueue = createWholeEnqueue({
    driver: {
      ownMs: () => null,
      writeWhole: async (ones) => {
        sent.push(...ones.map(({ statement }) => statement.name));
        return [[sent.at(-1) === 'enqueue_whole' ? answer.slice(0, 1) : answer]];
      },
    },
    namespace: 'any',
    clock: (_last, wallMs) => wallMs,
    lastNow: () => 0,
    memory: createMemory(),
    hints: {
      take: (_signals, taskId) => {
        taken.push(taskId);
        return { statement: { name: 'hint', text: () => '' }, values: [] };
      },
      untake: () => taken.push('not told'),
    },
    attempts: createAttempts({ elapsed: () => elapsed }),
  });
  return {
    sent,
    taken,
    enqueue: () => enqueue([newTask(sampleId(1))]),
    answer: (row: SqlRow) => (answer = row),
    pass: (ms: number) => (elapsed += ms),
  };
}

test('behind an enqueue for which nobody waited the next ones look for nobody, for a while', async () => {
  const rig = createRig();
  await rig.enqueue();
  rig.pass(limits.handOverPauseMs - 1);
  await rig.enqueue();
  rig.pass(1);
  await rig.enqueue();
  expect(rig.sent).toEqual(['enqueue_handing_over', 'enqueue_whole', 'enqueue_handing_over']);
  expect(rig.taken).toEqual([sampleId(1), null, sampleId(1)]);
});

test('what was handed over is told to nobody else, and the next may be too', async () => {
  const rig = createRig();
  rig.answer([1, 1]);
  expect(await rig.enqueue()).toMatchObject({ signals: [], untold: [] });
  expect(rig.taken).toEqual([sampleId(1), 'not told']);
  await rig.enqueue();
  expect(rig.sent).toEqual(['enqueue_handing_over', 'enqueue_handing_over']);
});
