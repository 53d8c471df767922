/** What a person chooses for this browser, as a form sends it: the theme, and the columns of the list. */

import { choiceHeader } from '../api/choices.ts';
import { taskFlowError } from '../core/errors.ts';
import { backOf, seeOther, type Visit } from './frame.tsx';
import { columnsOf } from './task-columns.ts';
import { themes } from './user-menu.tsx';

/** Leads back to where it was sent from. A theme that there is not is INVALID_OPTION; columns that there are not are left out. */
export async function answerSettings(visit: Visit): Promise<Response> {
  const { theme, ...rest } = visit.form;
  const response = seeOther(visit, backOf(visit.form));
  if (theme !== undefined) {
    if (!themes.some((each) => each === theme))
      throw taskFlowError('INVALID_OPTION', { what: 'theme', problem: `it is one of ${themes.join(', ')}` });
    response.headers.append('set-cookie', choiceHeader('theme', theme === 'system' ? null : theme));
  }
  const chosen = Object.keys(rest).flatMap((name) =>
    name.startsWith('column.') ? [name.slice('column.'.length)] : [],
  );
  if (chosen.length > 0) response.headers.append('set-cookie', choiceHeader('columns', columnsOf(chosen).join('.')));
  return response;
}
