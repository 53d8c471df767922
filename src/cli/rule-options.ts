/** The flags of commands that set a maximum and a rate. */

import { taskFlowError } from '../core/errors.ts';
import { parseRate } from '../core/rate-text.ts';
import type { Call, OptionSpec } from './command.ts';

export const ruleOptions: readonly OptionSpec[] = [
  { flags: '--max <n>', description: 'Tasks that may run at once; none takes the setting away' },
  { flags: '--rate <n/time>', description: 'Starts in a time, such as 100/1m; none takes the setting away' },
];

/** What `--max` and `--rate` say; throws USAGE when there is neither. */
export function readRuleOptions(call: Call): object {
  const [max, rate] = [call.text('max'), call.text('rate')];
  if (max === undefined && rate === undefined)
    throw taskFlowError(
      'USAGE',
      { problem: 'What may run?' },
      { hint: 'Say it with --max 20, --rate 100/1m or both; none takes a setting away.' },
    );
  return {
    ...(max !== undefined && { max: max === 'none' ? null : Number(max) }),
    ...(rate !== undefined && { rate: rate === 'none' ? null : rateInput(rate) }),
  };
}

/** Throws INVALID_OPTION. */
export function rateInput(text: string): { readonly limit: number; readonly per: number } {
  const { count, perMs } = parseRate(text, '--rate');
  return { limit: count, per: perMs };
}
