/** Checks that the project's defaults reach the tasks that do not say. */

import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { parsePolicy } from '../core/policy.ts';
import { unknownDefinition } from '../operations/definitions.ts';
import { setTaskDefaults } from './task-defaults.ts';
import { defineTask } from './task-options.ts';

afterEach(() => void setTaskDefaults({ timeoutMs: 3_600_000 }));

const input = z.object({});

test('a task that does not say has the defaults of the project', () => {
  setTaskDefaults({ retry: 3, keep: { succeeded: '1h' }, timeoutMs: null });
  const task = defineTask('a', { input }, null);
  expect(task.timeoutMs).toBeNull();
  expect(parsePolicy(task.policy)).toMatchObject({ attempts: 3, delayMs: 1_000, keepSucceededMs: 3_600_000 });
});

test('defaults that become known after a task was defined are its own, once', () => {
  const task = defineTask('a', { input }, null);
  setTaskDefaults({ retry: 4, timeoutMs: 5_000 });
  expect(task.timeoutMs).toBe(5_000);
  setTaskDefaults({ retry: 9, timeoutMs: 9_000 });
  expect(parsePolicy(task.policy)).toMatchObject({ attempts: 4 });
});

test('defaults that contradict what a task says are told when it is used', () => {
  const task = defineTask('a', { input, retry: { attempts: 2, max: '5s' } }, null);
  setTaskDefaults({ retry: { attempts: 3, delay: '10s' }, timeoutMs: 1_000 });
  expect(() => task.policy).toThrow('Task a: ');
});

test('a task that nobody defined has them as well', () => {
  setTaskDefaults({ retry: 4, timeoutMs: 5_000 });
  expect(unknownDefinition('b').timeoutMs).toBe(5_000);
  expect(parsePolicy(unknownDefinition('b').policy)).toMatchObject({ attempts: 4 });
});

test('what a task says wins', () => {
  setTaskDefaults({ retry: 3, keep: { failed: '1h' }, timeoutMs: 1_000 });
  const task = defineTask('a', { input, retry: { attempts: 7 }, timeout: '2s' }, null);
  expect(task.timeoutMs).toBe(2_000);
  expect(parsePolicy(task.policy)).toMatchObject({ attempts: 7, keepFailedMs: 3_600_000 });
});
