/** What a request asks for in its headers beside its input: a wait (RFC 7240), and the id that makes it repeatable. */

import { taskFlowError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';

/**
 * Seconds of `Prefer: wait=10`, at most those that a request may wait: a preference is met as far as it can be. `null` where there is
 * none, or none that makes sense: RFC 7240 has a server ignore what it does not understand.
 */
export function preferredWait(headers: Headers): number | null {
  const given = headers.get('prefer')?.match(/(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[,;]|$)/i)?.[1];
  return given === undefined ? null : Math.min(Number(given), limits.resultAskMs / 1_000);
}

/**
 * The task id that `Idempotency-Key` is, in the form of the input's `id`; `undefined` where there is none. Throws INVALID_ID for
 * anything but a task id or a UUIDv7: an id made from other text would stand at a wrong time in every list.
 */
export function idempotencyId(headers: Headers): string | undefined {
  const given = headers.get('idempotency-key')?.trim();
  if (given === undefined) return undefined;
  // The draft of the header has it as a quoted string.
  return parseId(given.replace(/^"(.*)"$/, '$1'));
}

/** The input with the id of the header. Throws INVALID_OPTION when it has another one. */
export function withId(input: Readonly<Record<string, unknown>>, id: string): Readonly<Record<string, unknown>> {
  const own = input.id;
  if (own === undefined || (typeof own === 'string' && parseId(own) === id)) return { ...input, id };
  throw taskFlowError('INVALID_OPTION', { what: 'id', problem: 'it is another than that of Idempotency-Key' });
}

/** Whether an operation with these fields waits as `Prefer` says. */
export function takesWait(fields: readonly string[]): boolean {
  return fields.includes('wait');
}

/** Whether an operation with these fields makes one task, whose id the header is. */
export function takesIdempotencyKey(fields: readonly string[]): boolean {
  return fields.includes('ifExists');
}
