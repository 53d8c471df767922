/** What people have said of errors, as the audit has it: who muted one until when, who resolved one. The last word counts. */

import type { AuditRow } from '../core/access.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { TaskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { isoTime } from '../core/time.ts';
import type { OperationContext } from './operation.ts';

/** The operation whose rows are read. */
export const errorMarkName = 'error.mark';

export interface ErrorMarkDocument {
  /** `muted`: left out of what needs attention until then. `resolved`: left out until it fails again. */
  readonly as: 'muted' | 'resolved';
  readonly by: string;
  readonly reason: string | null;
  readonly at: string;
  /** `null` for what is resolved. */
  readonly until: string | null;
}

/** By fingerprint. */
export type ErrorMarks = ReadonlyMap<string, ErrorMarkDocument>;
export const noMarks: ErrorMarks = new Map();

/** Of the newest so many words; none where the store has no audit. At `now` of the store's clock. */
export async function readMarks({ store }: Pick<OperationContext, 'store'>, now: number): Promise<ErrorMarks> {
  if (store.access === undefined) return noMarks;
  const rows = await store.access.audit.list({
    ...{ actor: null, operation: errorMarkName, from: now - limits.errorMarksMs, to: null, after: null },
    limit: limits.errorMarksMax,
  });
  return marksOf(rows, now);
}

/** Rows newest first. One whose end was not noted was done: what it did is the row itself, if its length can be read. */
export function marksOf(rows: readonly AuditRow[], now: number): ErrorMarks {
  const marks = new Map<string, ErrorMarkDocument | null>();
  for (const { at, actor, input, outcome } of rows) {
    const { fingerprint, as, for: length, reason } = input as Readonly<Record<string, unknown>>;
    if (typeof fingerprint !== 'string' || marks.has(fingerprint) || (outcome !== null && outcome !== 'done')) continue;
    if (!isMuteLength(length)) continue;
    const said = { by: actor, reason: typeof reason === 'string' ? reason : null, at: isoTime(at) };
    const end = at + muteMs(length);
    if (as === 'resolved') marks.set(fingerprint, { as, ...said, until: null });
    else marks.set(fingerprint, as === 'muted' && end > now ? { as, ...said, until: isoTime(end) } : null);
  }
  return new Map([...marks].flatMap(([fingerprint, mark]) => (mark === null ? [] : [[fingerprint, mark]])));
}

/** How long it is muted; a week where nobody says. Throws INVALID_OPTION. */
export function muteMs(length: unknown): number {
  const ms = length === undefined ? limits.errorMuteMs : parseDuration(length, 'for');
  if (ms <= limits.errorMuteMsMax) return ms;
  throw invalidOption('for', `an error is muted for at most ${formatDuration(limits.errorMuteMsMax)}`);
}

/** Whether {@link muteMs} can tell. */
export function isMuteLength(length: unknown): boolean {
  try {
    muteMs(length);
    return true;
  } catch (error) {
    if (error instanceof TaskFlowError) return false;
    throw error;
  }
}
