/** How a plan of Postgres reaches the rows of tables: by which index, and by which of its columns it finds the place to begin. */

/** A step of a plan as EXPLAIN tells it in JSON. */
export interface PlanStep {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanStep[];
}

export interface Reached {
  readonly table: string;
  /** `null` where no index is used. */
  readonly index: string | null;
  /** Columns that tell where to look in the index, in the order of the condition; none where all of it is walked through. */
  readonly by: readonly string[];
  /** Whether a limit right above ends the walk. */
  readonly isLimited: boolean;
}

/** What hands on rows as they come. */
const passing: ReadonlySet<string> = new Set(['LockRows', 'Subquery Scan', 'Result']);

/** Each place where a plan reads rows of a table, in the order of the plan. What it only writes is not among them. */
export function reachedIn(step: PlanStep, isLimited = false): readonly Reached[] {
  const { 'Node Type': type, 'Relation Name': table, Plans: below = [] } = step;
  const own = table === undefined || type === 'ModifyTable' ? [] : [reachedBy(step, table, isLimited)];
  const limits = type === 'Limit' || (isLimited && passing.has(type));
  return [...own, ...below.flatMap((each) => reachedIn(each, limits))];
}

function reachedBy(step: PlanStep, table: string, isLimited: boolean): Reached {
  const { 'Index Name': index, 'Index Cond': condition } = step;
  return { table, index: index ?? null, by: [...new Set(columnsOf(condition ?? ''))], isLimited };
}

/** What is left of a condition without texts, types, values of other steps and words: columns of the table stand there bare. */
function columnsOf(condition: string): readonly string[] {
  const bare = condition
    .replace(/'(?:[^']|'')*'/g, '')
    .replace(/::[a-z]+(?:\[\])?/g, '')
    .replace(/\((?:SubPlan|InitPlan) \d+\)|\$\d+|\w+\.\w+/g, '');
  return bare.match(/\b[a-z]\w*\b/g) ?? [];
}

/** `tasks_ready (queue, priority)`. */
export function inWords({ table, index, by, isLimited }: Reached): string {
  const where = index === null ? `all of ${table}` : `${index} (${by.join(', ')})`;
  return isLimited && by.length === 0 ? `first of ${where}` : where;
}
