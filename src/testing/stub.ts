/** Puts something else in the place of a task's handler, and remembers what its runs logged. */

import { type Context, contextInternals, type Log, type TaskDefinition } from '../core/definition.ts';
import type { LogLevel } from '../core/task.ts';
import { fatal } from '../core/verdicts.ts';

/** What runs in place of a handler: a function, a value, or an error for the first `times` runs (for all of them without `times`). */
export type Stub<Parsed, Output> =
  | ((input: Parsed) => Output | Promise<Output>)
  | { readonly return: Output }
  /** After `times` failures: `return` when it is given, else the real handler. */
  | { readonly fail: Error; readonly times?: number; readonly return?: Output };

/** One line a handler logged. */
export interface LoggedLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: object | null;
}

/** The handlers of a kit: the real ones, where no stub stands before them. */
export interface Handlers {
  readonly definitions: readonly TaskDefinition[];
  stub(name: string, stub: Stub<unknown, unknown>): void;
  /** What all runs of a task logged, oldest first. */
  logsOf(taskId: string): readonly LoggedLine[];
}

interface Standing {
  readonly stub: Stub<unknown, unknown>;
  failures: number;
}

export function createHandlers(definitions: readonly TaskDefinition[]): Handlers {
  const stubs = new Map<string, Standing>();
  const logs = new Map<string, LoggedLine[]>();

  function wrap(definition: TaskDefinition): TaskDefinition {
    const run = (input: unknown, context: Context): unknown => {
      const standing = stubs.get(definition.name);
      const answer = standing === undefined ? null : answerOf(standing, input);
      if (answer !== null) return answer.value;
      if (definition.run === null)
        throw fatal(
          `The contract ${definition.name} has no handler here: give the kit its implementation, or stub it.`,
        );
      return definition.run(input, withLog(context, logs));
    };
    return { ...definition, run };
  }

  return {
    definitions: definitions.map(wrap),
    stub: (name, stub) => void stubs.set(name, { stub, failures: 0 }),
    logsOf: (taskId) => logs.get(taskId) ?? [],
  };
}

/** What the stub says to this run, or `null` when the real handler is asked. */
function answerOf(standing: Standing, input: unknown): { readonly value: unknown } | null {
  const { stub } = standing;
  if (typeof stub === 'function') return { value: stub(input) };
  if ('fail' in stub && (stub.times === undefined || standing.failures < stub.times)) {
    standing.failures += 1;
    throw stub.fail;
  }
  return 'return' in stub ? { value: stub.return } : null;
}

/** What a flow needs, and nobody else knows of. */
function internalsOf(context: Context): object {
  return contextInternals in context ? { [contextInternals]: context[contextInternals] } : {};
}

/** The context, whose log is also remembered here. */
function withLog(context: Context, logs: Map<string, LoggedLine[]>): Context {
  const lines = logs.get(context.id) ?? [];
  logs.set(context.id, lines);
  const write =
    (level: LogLevel) =>
    (message: string, fields?: object): void => {
      lines.push({ level, message, fields: fields ?? null });
      context.log[level](message, fields);
    };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const { id, name, queue, attempt, idempotencyKey, fencingToken } = context;
  return {
    id,
    name,
    queue,
    attempt,
    idempotencyKey,
    fencingToken,
    log,
    get signal() {
      return context.signal;
    },
    progress: (done, total, note) => context.progress(done, total, note),
    step: (name, fn) => context.step(name, fn),
    get parents() {
      return context.parents;
    },
    resultsOf: (ref) => context.resultsOf(ref),
    spawn: (ref, input, options) => context.spawn(ref, input, options),
    complete: (result, options) => context.complete(result, options),
    ...internalsOf(context),
  };
}
