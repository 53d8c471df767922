/** Rates as people write them: `100/1m`. */

import { durationText, parseDuration } from './duration.ts';
import { taskFlowError } from './errors.ts';
import { checkRate, type Rate } from './limit-rules.ts';
import { limits } from './limits.ts';

/** "100/1m": a form {@link parseRate} reads back exactly. */
export function rateText({ count, perMs }: Rate): string {
  return `${count}/${durationText(perMs)}`;
}

/** Reads a number of starts and a time. Throws INVALID_OPTION for what is no rate, or one that can never be kept. */
export function parseRate(text: string, what: string): Rate {
  const match = /^(\d{1,9})\s*\/\s*(\S+)$/.exec(text);
  if (match === null)
    throw taskFlowError(
      'INVALID_OPTION',
      { what, problem: `${JSON.stringify(text)} is not a number of starts in a time` },
      { hint: 'Write it as 100/1m or 5/1s.' },
    );
  return readRate({ limit: Number(match[1]), per: match[2] }, what);
}

/** Reads `{ limit: 100, per: '1m' }`. Throws INVALID_OPTION. */
export function readRate({ limit, per }: { readonly limit: number; readonly per: unknown }, what: string): Rate {
  const perMs = parseDuration(per, `${what}.per`, { min: 1, max: limits.ratePeriodMaxMs });
  const rate = { count: limit, perMs };
  checkRate(rate, what);
  return rate;
}
