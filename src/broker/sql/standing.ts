/** Claims that found nothing and stand in the database, for an enqueue of another process to make; see `ClaimRequest.standMs`. */

import type { ClaimRequest } from '../broker.ts';
import type { SqlTransaction, SqlValue, Statement } from './driver.ts';

export interface StandingClaims {
  /** Whether a claim may find or change anything. One that may not stands from now on; `null` when it is none that may stand. */
  look(request: ClaimRequest): Promise<boolean> | null;
  /**
   * What takes the claim of a worker back, to be run before its next one is made, and seen by that: else it would be given tasks beside
   * it. `null` when none stands.
   */
  leaving(request: ClaimRequest): { readonly statement: Statement; readonly values: readonly SqlValue[] } | null;
  /** It was taken back. */
  left(request: ClaimRequest): void;
}

/** Within the step of a claim, before all else. */
export function leave(tx: SqlTransaction, standing: StandingClaims | undefined, request: ClaimRequest): void {
  const leaving = standing?.leaving(request);
  if (leaving) tx.send(leaving.statement, ...leaving.values);
}
