/** Reads task ids as people type them: whole, shortened, or one a line on standard input. */

import { taskFlowError } from '../core/errors.ts';
import { idLength, normalizeId, parseId } from '../core/ids.ts';
import { taskList } from '../operations/task.ts';
import type { Call } from './command.ts';
import type { Session } from './session.ts';

/** 8 characters tell the time of an id to a quarter of a second: enough among the tasks of one person. */
export const idPrefixMin = 8;

/** The whole ids of the command's arguments; `-` stands for those on standard input. Throws INVALID_ID, TASK_NOT_FOUND and USAGE. */
export async function readIds(call: Call, session: Session): Promise<string[]> {
  const words = call.args.includes('-')
    ? [...call.args.filter((word) => word !== '-'), ...(await call.readStdin()).split(/\s+/)]
    : call.args;
  const ids: string[] = [];
  for (const word of words) if (word !== '') ids.push(await wholeId(session, word));
  return [...new Set(ids)];
}

/** One id, completed when it was shortened. */
export async function wholeId(session: Session, text: string): Promise<string> {
  const id = normalizeId(text.trim().replace(/…$/, ''));
  if (id.length >= idLength) return parseId(id);
  if (id.length < idPrefixMin || !/^[0-9A-Z]+$/.test(id)) {
    throw taskFlowError('INVALID_ID', {
      text: text.slice(0, 40),
      problem: `it has ${id.length} characters, and a shortened id needs ${idPrefixMin}`,
    });
  }
  const { tasks } = await session.ask(taskList, { q: `id:${id}`, limit: 4 });
  const [first] = tasks;
  if (first === undefined) throw taskFlowError('TASK_NOT_FOUND', { id });
  if (tasks.length > 1) {
    throw taskFlowError(
      'USAGE',
      { problem: `${id} is the beginning of several ids.` },
      { hint: `Write more of it: ${tasks.map((task) => task.id).join(', ')}` },
    );
  }
  return first.id;
}
