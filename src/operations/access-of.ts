/** Access to what a context's store keeps of keys, sessions and the audit. */

import type { Access } from '../core/access.ts';
import { taskFlowError } from '../core/errors.ts';
import type { OperationContext } from './operation.ts';

/** Throws RECORD_MISSING for a live store alone: keys are in SQL. */
export function accessOf({ store }: Pick<OperationContext, 'store'>): Access {
  if (store.access === undefined) throw taskFlowError('RECORD_MISSING', { what: 'A list of keys' });
  return store.access;
}
