/** Checks that the project's defaults reach the tasks that do not say. */

import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { parsePolicy } from '../core/policy.ts';
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

test('what a task says wins', () => {
  setTaskDefaults({ retry: 3, keep: { failed: '1h' }, timeoutMs: 1_000 });
  const task = defineTask('a', { input, retry: { attempts: 7 }, timeout: '2s' }, null);
  expect(task.timeoutMs).toBe(2_000);
  expect(parsePolicy(task.policy)).toMatchObject({ attempts: 7, keepFailedMs: 3_600_000 });
});
