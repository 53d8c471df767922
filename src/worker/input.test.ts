/** Inputs that a schedule makes in the worker. */

import { expect, test } from 'vitest';
import { createWorkerRig } from '../../test/support/worker-rig.ts';
import type { CodeSchedule, ScheduleFiring } from '../core/code-schedule.ts';
import type { TaskDefinition } from '../core/definition.ts';
import type { NewTask } from '../core/task.ts';
import { lacksSchedule, readInput } from './input.ts';

const at = Date.UTC(2026, 9, 25, 0, 30);
const fired = {
  name: 'a',
  payload: '{"at":"2026-10-25T00:30:00.000Z"}',
  firedBy: { schedule: 's', at, input: 'made' },
} satisfies Partial<NewTask>;

function definitionWith(makeInput: ((firing: ScheduleFiring) => unknown) | null): TaskDefinition {
  const schedule = { name: 's', makeInput } as unknown as CodeSchedule;
  return { parseInput: (input: unknown) => input, schedules: new Map([['s', schedule]]) } as unknown as TaskDefinition;
}

test('the function is given the time it was due, and its value arrives as JSON', async () => {
  const definition = definitionWith(async (firing) => ({ day: firing.at, gone: undefined }));
  expect(await readInput(fired, definition)).toEqual({ day: '2026-10-25T00:30:00.000Z' });
});

test('a stored input is not made', () => {
  const stored = { ...fired, payload: '{"n":1}', firedBy: { ...fired.firedBy, input: 'stored' } } as const;
  expect(
    readInput(
      stored,
      definitionWith(() => 'never'),
    ),
  ).toEqual({ n: 1 });
  expect(lacksSchedule({ ...stored, firedBy: null }, definitionWith(null))).toBe(false);
});

test('a worker without the schedule’s code lacks it', () => {
  expect(
    lacksSchedule(
      fired,
      definitionWith(() => 1),
    ),
  ).toBe(false);
  expect(lacksSchedule(fired, definitionWith(null))).toBe(true);
  expect(lacksSchedule(fired, { ...definitionWith(null), schedules: new Map() })).toBe(true);
});

test('what is no JSON is refused, naming the schedule', async () => {
  const definition = definitionWith(() => ({ n: 1n }));
  await expect(readInput(fired, definition)).rejects.toThrow('The input that schedule s makes for a');
});

test('a task whose schedule this worker does not know goes back, uncharged, for another one', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  const [id = ''] = await rig.enqueue({ payload: fired.payload, firedBy: fired.firedBy });
  rig.worker.start();
  await rig.clock.advance(10);
  expect(await rig.task(id)).toMatchObject({ state: 'scheduled', reason: 'unknown_task', attempt: 0 });
  await rig.worker.stop();
});
