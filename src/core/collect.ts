/** Finds the tasks among the exports of modules. */

import { definitionOf, type TaskDefinition, withParts } from './definition.ts';
import { taskFlowError } from './errors.ts';

/**
 * The definitions in modules (`import * as email from './email.ts'`), objects of tasks, or tasks themselves; other
 * exports are passed over. A contract gives way to its implementation. Throws DUPLICATE_TASK_NAME when two tasks with
 * handlers share a name.
 */
export function definitionsIn(tasks: object | readonly object[]): TaskDefinition[] {
  const found = new Map<string, TaskDefinition>();
  for (const source of Array.isArray(tasks) ? tasks : [tasks]) {
    for (const definition of definitionsOf(source)) {
      const known = found.get(definition.name);
      if (known === undefined || known.run === null) found.set(definition.name, definition);
      else if (definition.run !== null && definition !== known) {
        throw taskFlowError('DUPLICATE_TASK_NAME', { name: definition.name, files: 'both are among the given tasks' });
      }
    }
  }
  return [...found.values()];
}

function definitionsOf(source: object): readonly TaskDefinition[] {
  const own = definitionOf(source);
  const values: readonly unknown[] = own === null ? Object.values(source) : [source];
  return values.flatMap((value) => {
    const definition = definitionOf(value);
    return definition === null ? [] : withParts(definition);
  });
}
