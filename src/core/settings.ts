/** What may be configured for a queue, a group or a limit, and why the rest may not. */

import { taskFlowError } from './errors.ts';
import { checkLimitSettings, checkOwnName, type Rate } from './limit-rules.ts';
import { checkKey } from './names.ts';
import { checkWeight } from './turns.ts';

export type Scope = 'queue' | 'group' | 'limit';

/** Settings of a queue, group or limit. Absent means unchanged, `null` means back to the default. */
export interface Settings {
  readonly pause?: { readonly by: string; readonly reason: string | null } | null;
  readonly max?: number | null;
  readonly rate?: Rate | null;
  readonly weight?: number | null;
}

/** Why a setting makes no sense for its scope. */
const refused: Readonly<Record<Scope, Partial<Record<keyof Settings, string>>>> = {
  queue: { weight: 'queues have no turns: the tasks of all queues of a worker are taken by priority and age' },
  group: {
    max: 'give the tasks of the group a limit of its name, and configure that one',
    rate: 'give the tasks of the group a limit of its name, and configure that one',
  },
  limit: { weight: 'a limit has no turns: groups have' },
};

/** Throws INVALID_OPTION for a name or a setting that can never work, naming it. */
export function checkSettings(scope: Scope, name: string, settings: Settings): void {
  checkKey(name, `The name of the ${scope}`);
  if (scope === 'limit') checkOwnName(name, 'The name of the limit');
  for (const [setting, problem] of Object.entries(refused[scope])) {
    if (settings[setting as keyof Settings] !== undefined)
      throw taskFlowError('INVALID_OPTION', { what: `${scope}.${setting}`, problem });
  }
  checkLimitSettings(settings, scope);
  if (settings.weight != null) checkWeight(settings.weight, `${scope}.weight`);
}
