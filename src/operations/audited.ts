/** Does what was asked with a row of the audit around it: stored before, and told how it ended. */

import type { AuditBegin } from '../core/access.ts';
import { TaskFlowError } from '../core/errors.ts';
import type { Operation, OperationContext } from './operation.ts';

/**
 * Where the row cannot be stored the thing is not done, but for enqueues: a task tells of itself, and is taken also while a record is
 * away. Those of programs leave no row. Without a SQL store there is no audit.
 */
export async function audited<Input, Output>(
  operation: Operation<Input, Output>,
  context: OperationContext,
  input: Input,
): Promise<Output> {
  const audit = context.store.access?.audit;
  if (operation.audit === null || audit === undefined || isTraffic(operation, context))
    return operation.run(context, input);
  const before = await stateOf(operation, context, input);
  const row = beginOf(operation, operation.audit, context, input, before);
  const waits = operation.scope !== 'enqueue';
  const begun = audit.begin(row);
  begun.catch(() => undefined); // It may fail before anybody waits for it.
  const end = (outcome: string, after: unknown): void => {
    begun.then(
      (id) => audit.end(id, { outcome, after }),
      () => undefined, // Told to who waited for it.
    );
  };
  if (waits) await begun;
  try {
    const output = await operation.run(context, input);
    end('done', operation.made?.(output) ?? (await stateAfter(operation, context, input)));
    return output;
  } catch (error) {
    end(error instanceof TaskFlowError ? error.code : 'INTERNAL', null);
    throw error;
  }
}

async function stateOf<Input>(
  { state }: Pick<Operation<Input, unknown>, 'state'>,
  context: OperationContext,
  input: Input,
): Promise<unknown> {
  try {
    return (await state?.(context, input)) ?? null;
  } catch (error) {
    // The operation says so itself.
    if (error instanceof TaskFlowError && error.status < 500) return null;
    throw error;
  }
}

/** It is done, whether or not it can be looked at. */
async function stateAfter<Input>(
  operation: Pick<Operation<Input, unknown>, 'state'>,
  context: OperationContext,
  input: Input,
): Promise<unknown> {
  try {
    return await stateOf(operation, context, input);
  } catch (error) {
    if (error instanceof TaskFlowError) return null;
    throw error;
  }
}

/**
 * What programs enqueue is what the system is for: rows of it would be a second table of tasks that is kept for longer than the first, and
 * each cost as many commits as its task.
 */
function isTraffic({ scope }: Pick<Operation<never, unknown>, 'scope'>, { actor }: OperationContext): boolean {
  return scope === 'enqueue' && actor.keyId !== undefined && actor.sessionId === undefined;
}

function beginOf(
  { name }: Pick<Operation<never, unknown>, 'name'>,
  words: string,
  { actor, address, requestId }: OperationContext,
  input: unknown,
  before: unknown,
): AuditBegin {
  const shown = withoutPayload(input);
  return {
    actor: actor.name,
    keyId: actor.keyId ?? null,
    address: address ?? null,
    requestId: requestId ?? null,
    operation: name,
    // `{q|ids}` is the one of them that was given.
    text: words.replace(/\{(\w+)(?:\|(\w+))?\}/g, (_whole, field: string, other = field) =>
      wordsOf(shown[field] ?? shown[other]),
    ),
    input: shown,
    before,
  };
}

function wordsOf(value: unknown): string {
  return value === undefined ? '–' : typeof value === 'string' ? value : (JSON.stringify(value) ?? '–');
}

/** The audit says what was done, and is no second copy of what tasks work on. */
function withoutPayload(input: unknown): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null) return {};
  const { input: _payload, tasks, ...rest } = input as Readonly<Record<string, unknown>>;
  return Array.isArray(tasks) ? { ...rest, tasks: tasks.length } : rest;
}
