/** What a client tells the judge of a task is what the client library makes of it. */

import { expect, test } from 'vitest';
import { newTask, prepareInput } from '../client/enqueue.ts';
import { seededChance } from '../core/chance.ts';
import { definitionBrand } from '../core/definition.ts';
import { readClientNote } from './note-reader.ts';
import { drawRequest, type TaskKind } from './requests.ts';
import { tasks } from './tasks/work.ts';

const chance = seededChance(11);
const requests = Array.from({ length: 5_000 }, (_, n) => drawRequest(chance, n, { isRemote: false, leaseMs: 2_000 }));

test('every task is asked for as it is noted', async () => {
  for (const { kind, input, options, asked } of requests) {
    const definition = tasks[kind][definitionBrand];
    const task = newTask(definition, await prepareInput(definition, input), options, '01K8Q2M4ZJ7F0C7Y0000000000');
    const noted = JSON.stringify([1, 'invoke', task.id, input.n, definition.name, asked]);
    const { policy, delayMs, expiresInMs, group, key, ifExists, limits, strictCancel } = task;
    expect(readClientNote(2, noted).asked).toEqual({
      policy,
      ...(delayMs === 0 ? {} : { delayMs }),
      ...(expiresInMs === null ? {} : { expiresInMs }),
      ...(group === null ? {} : { group }),
      ...(key === null ? {} : { key }),
      ...(ifExists === 'return' ? {} : { ifExists }),
      ...(limits.length === 0 ? {} : { limits }),
      ...(strictCancel ? { strictCancel } : {}),
    });
  }
});

test('every sort of task is drawn, and plain ones the most', () => {
  const byKind = Map.groupBy(requests, ({ kind }) => kind);
  expect(new Set(byKind.keys())).toEqual(new Set(Object.keys(tasks) as TaskKind[]));
  expect(byKind.get('plain')?.length).toBeGreaterThan(requests.length / 2);
});
