/** The state machine as documented, and the words people see for it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isLegal, stateOfView, taskStates, taskViews, transitions, viewOf } from './states.ts';

test('docs/states.md lists exactly the transitions of the literal', () => {
  const page = readFileSync(new URL('../../docs/states.md', import.meta.url), 'utf8');
  const table = page.split('## Transitions')[1] ?? '';
  const rows = [...table.matchAll(/^\| (\w+) \| ([^|]+) \| ([^|]+) \|$/gm)].filter((row) => row[1] !== 'operation');
  const listed = (cell = ''): (string | null)[] =>
    cell
      .trim()
      .split(', ')
      .map((state) => (state === '–' ? null : state));
  const documented = Object.fromEntries(
    rows.map(([, name, from, to]) => [name, { from: listed(from), to: listed(to) }]),
  );
  expect(documented).toEqual(transitions);
});

test('every transition starts and ends in a known state, and running is left only by settle or judge', () => {
  const leavesRunning = Object.entries(transitions).filter(([, row]) =>
    (row.from as readonly unknown[]).includes('running'),
  );
  expect(leavesRunning.map(([name]) => name)).toEqual(['settle', 'judge']);
  for (const row of Object.values(transitions))
    for (const state of [...row.from, ...row.to]) expect(state === null || taskStates.includes(state)).toBe(true);
});

test('a finished task leaves its state only by a retry or by removal', () => {
  for (const operation of Object.keys(transitions) as (keyof typeof transitions)[])
    for (const to of [...taskStates, null])
      if (isLegal(operation, 'succeeded', to)) expect(['retry', 'remove', 'prune']).toContain(operation);
});

test('a view names the state it stands for', () => {
  expect(viewOf({ state: 'scheduled', reason: 'error', attempt: 1 })).toBe('retrying');
  expect(viewOf({ state: 'scheduled', reason: 'snooze', attempt: 0 })).toBe('scheduled');
  expect(viewOf({ state: 'cancelled', reason: 'expired', attempt: 0 })).toBe('expired');
  expect(viewOf({ state: 'cancelled', reason: 'user', attempt: 0 })).toBe('cancelled');
  expect(viewOf({ state: 'failed', reason: 'crash_loop', attempt: 2 })).toBe('quarantined');
  expect(taskViews.map(stateOfView).every((state) => taskStates.includes(state))).toBe(true);
});
