/** Asks the same for several things: one failure is told and does not stop the others. */

import type { Call } from './command.ts';
import type { View } from './output.ts';
import { showError } from './problem.ts';

export interface EachOptions<Item, Document extends object> {
  readonly items: readonly Item[];
  /** Whether one thing was named: it is then shown as one document, not as a list of one. */
  readonly isOne: boolean;
  ask(item: Item): Promise<Document>;
  readonly view: View<Document>;
  /** The lines about one document, for people and as a table. */
  lines(document: Document): Promise<readonly string[]> | readonly string[];
}

/** The exit code is 0, or that of the first failure. */
export async function askEach<Item, Document extends object>(
  call: Call,
  options: EachOptions<Item, Document>,
): Promise<number> {
  const { output } = call;
  const documents: Document[] = [];
  let exitCode = 0;
  for (const item of options.items) {
    try {
      documents.push(await options.ask(item));
    } catch (error) {
      const code = showError(call.stderr, output.notes, output.format, error, call.verbose);
      if (exitCode === 0) exitCode = code;
    }
  }
  const [first] = documents;
  if (options.isOne) {
    const lines = first === undefined || output.format !== 'table' ? [] : await options.lines(first);
    if (first !== undefined) output.record(options.view, first, () => lines);
  } else if (output.format === 'table' && !output.hasFields) {
    for (const document of documents) {
      const lines = await options.lines(document);
      output.record(options.view, document, () => lines);
    }
  } else output.list(options.view, documents);
  return exitCode;
}
