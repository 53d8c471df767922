/** What a task definition gets where it says nothing: TaskFlow's defaults, or those of the project's configuration. */

import { defaultPolicy, type Policy, type PolicyOptions, policyOf } from '../core/policy.ts';

export interface TaskDefaults {
  readonly policy: Policy;
  /** Longest run; `null` is none. */
  readonly timeoutMs: number | null;
}

let current: TaskDefaults = { policy: defaultPolicy, timeoutMs: 3_600_000 };

/** The defaults for tasks defined from now on. */
export function taskDefaults(): TaskDefaults {
  return current;
}

/**
 * Sets the defaults of this process: before its task files are loaded, since a definition is complete once it is made.
 * Answers the former ones. Throws INVALID_OPTION like a task's own options.
 */
export function setTaskDefaults(
  options: Pick<PolicyOptions, 'retry' | 'keep'> & Pick<TaskDefaults, 'timeoutMs'>,
): TaskDefaults {
  const former = current;
  const { retry, keep, timeoutMs } = options;
  current = { policy: policyOf({ retry, keep }), timeoutMs };
  return former;
}
