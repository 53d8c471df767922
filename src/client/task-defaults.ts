/** What a task definition gets where it says nothing: TaskFlow's defaults, or those of the project's configuration. */

import { limits } from '../core/limits.ts';
import { defaultPolicy, type Policy, type PolicyOptions, policyOf } from '../core/policy.ts';

export interface TaskDefaults {
  readonly policy: Policy;
  /** Longest run; `null` is none. */
  readonly timeoutMs: number | null;
}

let current: TaskDefaults = { policy: defaultPolicy, timeoutMs: limits.timeoutMs };

/** The defaults of now: for tasks that nobody has read yet, and for those that nobody has defined. */
export function taskDefaults(): TaskDefaults {
  return current;
}

/**
 * Sets the defaults of this process. A definition takes them when its policy or timeout is first read, so this may come
 * after the modules with tasks were loaded, but before they are used. Answers the former ones. Throws INVALID_OPTION
 * like a task's own options.
 */
export function setTaskDefaults(
  options: Pick<PolicyOptions, 'retry' | 'keep'> & Pick<TaskDefaults, 'timeoutMs'>,
): TaskDefaults {
  const former = current;
  const { retry, keep, timeoutMs } = options;
  current = { policy: policyOf({ retry, keep }), timeoutMs };
  return former;
}
