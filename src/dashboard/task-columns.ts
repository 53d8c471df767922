/** The columns of a list of tasks that a person may choose: state and task are always there. */

export const taskColumns = {
  id: 'ID',
  queue: 'Queue',
  input: 'Input or error',
  priority: 'Priority',
  key: 'Key',
  tags: 'Tags',
  worker: 'Worker',
  attempt: 'Attempt',
  took: 'Took or waits',
  created: 'Created',
  when: 'When',
} as const;

export type TaskColumn = keyof typeof taskColumns;

const usual: readonly TaskColumn[] = ['id', 'queue', 'input', 'attempt', 'took', 'when'];
/** Chosen with no column: a cookie has to say something. */
export const noColumn = 'none';

/** Those that there are, in the order of the list; `none` where none of them is. */
export function columnsOf(names: readonly string[]): readonly string[] {
  const chosen = Object.keys(taskColumns).filter((name) => names.includes(name));
  return chosen.length === 0 ? [noColumn] : chosen;
}

/** What a browser has kept; the usual ones where it has kept nothing. */
export function readColumns(kept: string | undefined): ReadonlySet<TaskColumn> {
  if (kept === undefined) return new Set(usual);
  const names = kept.split('.');
  return new Set((Object.keys(taskColumns) as TaskColumn[]).filter((name) => names.includes(name)));
}
