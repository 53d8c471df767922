/** Finds the files of a project that define tasks, and loads them; one bad file does not keep the others from loading. */

import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { type CodeSchedule, schedulesIn } from '../core/code-schedule.ts';
import { definitionOf, type TaskDefinition, withParts } from '../core/definition.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { loadModule } from './load.ts';

/** Where tasks are looked for when nobody says otherwise; those that do not exist are skipped. */
export const defaultFolders: readonly string[] = ['tasks', 'src/tasks', 'flows', 'src/flows'];

export interface DiscoveryOptions {
  /** The project; file names are shown relative to it. */
  readonly root: string;
  /** Folders, or single files; `defaultFolders` when left out. */
  readonly folders?: readonly string[];
}

export interface FoundTask {
  readonly definition: TaskDefinition;
  /** Relative to the project. */
  readonly file: string;
}

/** A schedule is any export that a task's `schedule()` made. */
export interface FoundSchedule {
  readonly schedule: CodeSchedule;
  /** Relative to the project. */
  readonly file: string;
}

export interface Discovery {
  /** In the order of their names. Only tasks with a handler: a contract alone cannot run. */
  readonly tasks: readonly FoundTask[];
  /** In the order of their names. */
  readonly schedules: readonly FoundSchedule[];
  /** TASK_FILE_FAILED for each file that did not load, DUPLICATE_TASK_NAME and DUPLICATE_SCHEDULE_NAME for each name that is taken twice. */
  readonly failures: readonly TaskFlowError[];
  /** Every file that was looked at, relative to the project. */
  readonly files: readonly string[];
}

const loadable = /\.(ts|mts|cts|js|mjs|cjs)$/;
const skipped = /(\.d\.[cm]?ts|\.(test|spec)\.[cm]?[jt]s)$/;

/**
 * Loads every task of the folders. A task is any export that `task()` made, in any file. Of two different tasks with one
 * name neither is among the answers: nobody could say which one would run. Throws INVALID_OPTION when a folder that was
 * asked for does not exist, or holds more than `limits.taskFilesMax` files.
 */
export async function discoverTasks(options: DiscoveryOptions): Promise<Discovery> {
  const files = await findFiles(options);
  const failures: TaskFlowError[] = [];
  const found: FoundTask[] = [];
  const schedules = new Map<CodeSchedule, FoundSchedule>();
  // One after the other: modules share state, and their order should be the same every time.
  for (const path of files) {
    const file = relative(options.root, path);
    const loaded = await loadModule(path);
    if ('problem' in loaded) {
      const details = loaded.frame === null ? { file } : { file, frame: loaded.frame };
      const problem = loaded.frame === null ? loaded.problem : `${loaded.problem}\n${loaded.frame}`;
      failures.push(taskFlowError('TASK_FILE_FAILED', { file, problem }, { cause: loaded.cause, details }));
    } else {
      const values = valuesOf(loaded.exports);
      found.push(...definitionsOf(values).map((definition) => ({ definition, file })));
      for (const schedule of schedulesIn(values))
        if (!schedules.has(schedule)) schedules.set(schedule, { schedule, file });
    }
  }
  const { tasks, duplicates } = separateDuplicates(found);
  const unique = separateSchedules([...schedules.values()]);
  return {
    tasks,
    schedules: unique.schedules,
    failures: [...failures, ...duplicates, ...unique.duplicates],
    files: files.map((path) => relative(options.root, path)),
  };
}

async function findFiles({ root, folders }: DiscoveryOptions): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const folder of folders ?? defaultFolders) {
    const path = isAbsolute(folder) ? folder : resolve(root, folder);
    const kind = await stat(path).catch(() => null);
    if (kind === null && folders !== undefined)
      throw taskFlowError('INVALID_OPTION', { what: 'tasks', problem: `there is no folder ${folder}` });
    if (kind?.isFile()) found.add(path);
    if (kind?.isDirectory()) await walk(path, 0, found);
  }
  return [...found].sort();
}

async function walk(folder: string, depth: number, found: Set<string>): Promise<void> {
  if (depth > limits.taskFolderDepthMax) return;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink() ? await stat(path).catch(() => null) : entry;
    if (kind?.isDirectory()) await walk(path, depth + 1, found);
    else if (kind?.isFile() && loadable.test(entry.name) && !skipped.test(entry.name)) found.add(path);
    if (found.size > limits.taskFilesMax) {
      throw taskFlowError('INVALID_OPTION', {
        what: 'tasks',
        problem: `${folder} holds more than ${limits.taskFilesMax} files`,
      });
    }
  }
}

/** Everything that a module exports, of CommonJS too. */
export function valuesOf(exports: Readonly<Record<string, unknown>>): readonly unknown[] {
  // Node gives the object of a CommonJS module under this name, for exports that it could not name itself.
  const { 'module.exports': whole } = exports;
  return [...Object.values(exports), ...(typeof whole === 'object' && whole !== null ? Object.values(whole) : [])];
}

/** The tasks with a handler among these. */
export function definitionsOf(values: readonly unknown[]): TaskDefinition[] {
  const definitions = new Set<TaskDefinition>();
  for (const value of values) {
    const definition = definitionOf(value);
    if (definition === null) continue;
    for (const part of withParts(definition)) if (part.run !== null) definitions.add(part);
  }
  return [...definitions];
}

/** The same task exported from two files is one task; two tasks with one name are a mistake. */
function separateDuplicates(found: readonly FoundTask[]): {
  readonly tasks: readonly FoundTask[];
  readonly duplicates: readonly TaskFlowError[];
} {
  const byName = new Map<string, FoundTask[]>();
  for (const one of found) {
    const known = byName.get(one.definition.name) ?? [];
    if (!known.some((other) => other.definition === one.definition)) byName.set(one.definition.name, [...known, one]);
  }
  const tasks: FoundTask[] = [];
  const duplicates: TaskFlowError[] = [];
  for (const [name, [first, ...others]] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (first === undefined) continue;
    if (others.length === 0) tasks.push(first);
    else
      duplicates.push(
        taskFlowError('DUPLICATE_TASK_NAME', { name, files: [first, ...others].map((one) => one.file).join(' and ') }),
      );
  }
  return { tasks, duplicates };
}

/** Of two schedules with one name neither is stored: nobody could say which one would fire. */
function separateSchedules(found: readonly FoundSchedule[]): {
  readonly schedules: readonly FoundSchedule[];
  readonly duplicates: readonly TaskFlowError[];
} {
  const byName = Map.groupBy(found, ({ schedule }) => schedule.name);
  const schedules: FoundSchedule[] = [];
  const duplicates: TaskFlowError[] = [];
  for (const [name, same] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (same.length === 1) schedules.push(...same);
    else {
      const tasks = same.map(({ schedule, file }) => `${schedule.task.name} in ${file}`).join(' and ');
      duplicates.push(taskFlowError('DUPLICATE_SCHEDULE_NAME', { name, tasks }));
    }
  }
  return { schedules, duplicates };
}
