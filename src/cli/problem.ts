/** Shows an error: what happened, why, and the next thing to do; as a document with `--json`. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { jsonText, type OutputFormat } from './output.ts';
import { oneLine } from './table.ts';
import { mark, paint, type Sink, type Terminal } from './terminal.ts';

/** Any thrown value as one of the table's errors; a bug becomes INTERNAL. */
export function asTaskFlowError(thrown: unknown): TaskFlowError {
  if (thrown instanceof TaskFlowError) return thrown;
  return taskFlowError(
    'INTERNAL',
    { problem: thrown instanceof Error ? thrown.message : String(thrown) },
    { cause: thrown },
  );
}

/** An error that reached the process itself, from code nobody waited for. */
export function uncaught(thrown: unknown): TaskFlowError {
  return taskFlowError(
    'UNCAUGHT',
    { problem: thrown instanceof Error ? thrown.message : String(thrown) },
    { cause: thrown },
  );
}

/** Writes the error to stderr and returns the exit code. With `verbose` the stack of what caused it comes too. */
export function showError(
  stderr: Sink,
  terminal: Terminal,
  format: OutputFormat,
  thrown: unknown,
  verbose: boolean,
): number {
  const error = asTaskFlowError(thrown);
  const stack = verbose ? stackOf(thrown) : null;
  if (format === 'json' || format === 'jsonl')
    stderr.write(`${jsonText({ error: { ...error.toJSON(), ...(stack === null ? {} : { stack }) } })}\n`);
  else stderr.write(`${errorLines(terminal, error, stack).join('\n')}\n`);
  return error.exitCode;
}

function errorLines(terminal: Terminal, error: TaskFlowError, stack: string | null): string[] {
  const [first = '', ...rest] = error.message.split('\n').map(oneLineKeepSpaces);
  return [
    `${paint(terminal, mark(terminal, 'error'), 'error')} ${paint(terminal, first, 'bold')}`,
    ...rest.map((line) => `  ${line}`),
    ...(error.hint === undefined ? [] : [`  ${oneLine(error.hint)}`]),
    ...(stack === null ? [] : stack.split('\n').map((line) => paint(terminal, `    ${oneLine(line)}`, 'muted'))),
  ];
}

/** A mistake's text may come from a hostile file: of what is no letter only spaces are kept, for the mark under the mistake. */
function oneLineKeepSpaces(line: string): string {
  return line.replaceAll('\t', ' ').replace(/[^ ]+/g, oneLine);
}

function stackOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  const cause = thrown.cause instanceof Error ? thrown.cause : thrown;
  return cause.stack ?? null;
}
