/** What is answered while the store of a mounted dashboard cannot be opened. */

import { readChoices } from '../api/choices.ts';
import { isForMachine } from '../api/machine.ts';
import { problemResponse } from '../api/problem.ts';
import { finished } from '../api/reply.ts';
import { requestIdOf } from '../api/request-id.ts';
import { placeOf } from '../core/base-path.ts';
import { createToken, systemChance } from '../core/chance.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { systemClock } from '../core/time.ts';
import { assetResponse, assets } from '../dashboard/assets.ts';
import { createPages } from '../dashboard/pages.tsx';
import { tellError } from './tell-error.ts';

export interface ClosedOptions {
  /** As core/base-path.ts reads it. */
  readonly basePath: string;
  readonly onError: ((error: unknown) => void) | undefined;
}

/**
 * A problem document, and to a person a page that asks again by itself. The words of a store name files and hosts, and nobody has been asked
 * who this is: the code alone is told.
 */
export async function closedResponse(
  request: Request,
  error: unknown,
  { basePath, onError }: ClosedOptions,
): Promise<Response> {
  tellError(error, onError);
  const code = error instanceof TaskFlowError ? error.code : 'INTERNAL';
  const told = taskFlowError('NOT_READY', { problem: `the store cannot be opened (${code})` }, { cause: error });
  const requestId = requestIdOf(request, { next: () => createToken(systemChance) });
  const { path, root } = placeOf(new URL(request.url).pathname, basePath);
  // The page has its style sheet.
  const asset = assets.find((one) => `/${one.path}` === path);
  const visit = { path, root, choices: readChoices(request), actor: null };
  const page = () => createPages({ version: '' }).errorPage(told, visit, { clock: systemClock });
  const response =
    asset !== undefined ? assetResponse(asset) : isForMachine(path) ? problemResponse(told, requestId) : await page();
  return finished(response, { requestId, basePath });
}
