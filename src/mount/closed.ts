/** What is answered while the store of a mounted dashboard cannot be opened. */

import { problemResponse } from '../api/problem.ts';
import { createToken, systemChance } from '../core/chance.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { tellError } from './tell-error.ts';

/** The words of a store name files and hosts, and nobody has been asked who this is: the code alone is told. */
export function closedResponse(error: unknown, onError: ((error: unknown) => void) | undefined): Response {
  tellError(error, onError);
  const code = error instanceof TaskFlowError ? error.code : 'INTERNAL';
  return problemResponse(
    taskFlowError('NOT_READY', { problem: `the store cannot be opened (${code})` }, { cause: error }),
    createToken(systemChance),
    { 'cache-control': 'no-store' },
  );
}
