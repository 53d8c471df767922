/** Whether what a server answers is what an operation says: something else may stand at its address, or a TaskFlow of another version. */

import type { ZodType } from 'zod';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { Operation } from '../operations/operation.ts';

type Asked = Pick<Operation<never, unknown>, 'name' | 'output'>;
type Fields = Readonly<Record<string, unknown>>;

/** What was asked, and what came. */
export interface Heard {
  readonly operation: Asked;
  readonly answer: unknown;
}

/**
 * Throws SERVER_ANSWER_UNKNOWN for an answer without most of the fields it needs. One that has a field less, or more, may be of another version:
 * it is shown as well as it goes.
 */
export async function checkAnswer({ operation, answer }: Heard, host: string): Promise<void> {
  const wanted = neededFields(await operation.output());
  const there = wanted.filter((name) => Object.hasOwn(answer as Fields, name));
  if (there.length * 2 < wanted.length) throw foreignAnswer(operation, host);
}

/** Why a command could not go on with what it heard: the first answer that is not as its operation says; `null` where all are. */
export async function misfitOf(heard: readonly Heard[], host: string): Promise<TaskFlowError | null> {
  for (const { operation, answer } of heard) {
    const { error } = (await operation.output()).safeParse(answer);
    // What is added in a later version is no trouble.
    const issue = error?.issues.find(({ code }) => code !== 'unrecognized_keys');
    if (issue !== undefined) return foreignAnswer(operation, host, issue.path.join('.').slice(0, pathShown));
  }
  return null;
}

const pathShown = 100;

function foreignAnswer({ name }: Asked, host: string, path = ''): TaskFlowError {
  const where = path === '' ? '' : ` (${path})`;
  const hint = `Its answer to ${name} is none${where}: check the address that --server names, and the version of the server.`;
  return taskFlowError('SERVER_ANSWER_UNKNOWN', { host, status: 200 }, { hint });
}

/** Those of an object that may not be left out; of what is no object none. */
function neededFields(schema: ZodType): readonly string[] {
  if (!('shape' in schema) || typeof schema.shape !== 'object' || schema.shape === null) return [];
  const fields = Object.entries(schema.shape as Readonly<Record<string, ZodType>>);
  return fields.flatMap(([name, field]) => (field.safeParse(undefined).success ? [] : [name]));
}
