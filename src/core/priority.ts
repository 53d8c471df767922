/** The priorities and their names. */
import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { didYouMean } from './nearest.ts';

/** 0 is first, 9 is last. */
export const priorities = { urgent: 0, high: 2, normal: 5, low: 8 } as const;

export type PriorityName = keyof typeof priorities;

/** A name or a whole number from 0 (first) to 9 (last). */
export type Priority = PriorityName | number;

/** The number of a priority given as a name, a number or a number in text. Throws INVALID_OPTION. */
export function parsePriority(value: unknown): number {
  if (typeof value === 'string' && Object.hasOwn(priorities, value)) return priorities[value as PriorityName];
  const number = typeof value === 'string' && /^\d$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= limits.priorityMax)
    return number;
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
  const suggestion = typeof value === 'string' ? didYouMean(value, Object.keys(priorities)) : '';
  const problem = `${shown} is neither one of ${Object.keys(priorities).join(', ')} nor a whole number from 0 (first) to ${limits.priorityMax} (last).${suggestion}`;
  throw taskFlowError('INVALID_OPTION', { what: 'priority', problem });
}
