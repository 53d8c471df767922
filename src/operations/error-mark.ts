/** The operation by which people say of a kind of failures that they know: it is muted for a time, resolved, or open again. */

import { taskFlowError } from '../core/errors.ts';
import { invalidOption } from '../core/option-names.ts';
import { isoTime } from '../core/time.ts';
import type { ErrorMarkInput } from './bulk-schemas.ts';
import { errorGet } from './error.ts';
import { type ErrorMarkDocument, errorMarkName, muteMs, readMarks } from './error-marks.ts';
import type { Operation, OperationContext } from './operation.ts';
import { refreshSigns } from './signs.ts';

export interface ErrorMarkedDocument {
  readonly fingerprint: string;
  /** What is said of it now; `null` when it is open again. */
  readonly mark: ErrorMarkDocument | null;
}

/** The row of the audit is the mark (ADR 59): without an audit there are none, which is RECORD_MISSING. */
export const errorMark: Operation<ErrorMarkInput, ErrorMarkedDocument> = {
  name: errorMarkName,
  summary: 'Mute failures of one kind for a time, call them resolved, or open them again',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/errors/:fingerprint/mark' },
  audit: 'marked error {fingerprint} as {as}',
  state: markOf,
  schema: async () => (await import('./bulk-schemas.ts')).errorMarkInput,
  output: async () => (await import('./error-output.ts')).errorMarkOutput,
  async run(context, { fingerprint, as, for: length, reason = null }) {
    if (context.store.access === undefined) throw taskFlowError('RECORD_MISSING', { what: 'What is said of errors' });
    if (length !== undefined && as !== 'muted')
      throw invalidOption('for', 'it goes with `muted`, and with nothing else');
    const forMs = muteMs(length);
    await errorGet.run(context, { fingerprint });
    // The row of the audit is there already.
    await refreshSigns(context);
    if (as === 'open') return { fingerprint, mark: null };
    const { now } = await context.store.broker.info();
    const until = as === 'muted' ? isoTime(now + forMs) : null;
    return { fingerprint, mark: { as, by: context.actor.name, reason, at: isoTime(now), until } };
  },
};

async function markOf(context: OperationContext, { fingerprint }: ErrorMarkInput): Promise<ErrorMarkDocument | null> {
  const { now } = await context.store.broker.info();
  return (await readMarks(context, now)).get(fingerprint) ?? null;
}
