/** What is done to many tasks at once, asked for at the command line: counted first, begun when it is meant. */

import { taskFlowError } from '../core/errors.ts';
import type { BulkCreatedDocument } from '../operations/bulk.ts';
import type { Operation } from '../operations/operation.ts';
import type { Call, OptionSpec } from './command.ts';
import { given } from './pages.ts';
import type { Session } from './session.ts';

export const bulkOptions: readonly OptionSpec[] = [
  { flags: '--reason <text>', description: 'Why; kept with what is done' },
  { flags: '--delay <duration>', description: 'Time to undo it before anything happens (default: 10s)' },
  { flags: '--dry-run', description: 'Count the tasks and do nothing' },
  { flags: '-y, --yes', description: 'Begin without being asked' },
];

/**
 * Begins with `--yes`, counts with `--dry-run`. Throws USAGE with the number without either: a command line asks nobody, so that what is
 * begun by a script and by hand is the same.
 */
export async function askBulk<Input>(
  call: Call,
  session: Session,
  operation: Operation<Input, BulkCreatedDocument>,
  { input, words }: { readonly input: object; readonly words: string },
): Promise<number> {
  const isDry = call.has('dry-run');
  const mayBegin = call.has('yes') && !isDry;
  const document = await session.ask(operation, {
    ...input,
    ...(mayBegin ? given(call, 'reason', 'delay') : { dryRun: true }),
  });
  const number = `${document.matched.toLocaleString('en-US')}${document.exact ? '' : ' or more'} ${document.matched === 1 ? 'task' : 'tasks'}`;
  if (!isDry && !mayBegin && document.matched > 0)
    throw taskFlowError(
      'USAGE',
      { problem: `${words} ${number}?` },
      { hint: 'Add --yes to do it, or --dry-run to look.' },
    );
  const id = document.operation?.id ?? '';
  call.output.record({ id: () => id }, document, () => [
    id === '' ? `${words} would be done to ${number}` : `${words}: ${number}, operation ${id}`,
  ]);
  if (id !== '') call.output.note(`Undo it until it begins: taskflow operation stop ${id}`);
  return 0;
}
