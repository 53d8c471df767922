/** Lists the files under a path without ever leaving it. */

import { lstat, opendir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** The files below a path, in the order of their names, and how much was left out. */
export interface Walk {
  /** The path itself, with symbolic links resolved. */
  readonly root: string;
  /** Absolute paths of regular files. */
  readonly files: readonly string[];
  /** Symbolic links are not followed: one could lead in a circle, or out of the folder. */
  readonly symlinks: number;
  /** Folders this user may not read. */
  readonly unreadable: number;
}

/** More files than this is taken for a mistake, such as the root of the disk. */
export const filesMax = 1_000_000;

/**
 * Walks `path`; a file is a walk of one. Rejects with the error of the file system when there is nothing at `path`,
 * with a RangeError above {@link filesMax} files, and with the signal's reason when that aborts.
 */
export async function walk(path: string, signal: AbortSignal): Promise<Walk> {
  const root = await realpath(path);
  if (!(await lstat(root)).isDirectory()) return { root, files: [root], symlinks: 0, unreadable: 0 };
  const files: string[] = [];
  const folders = [root];
  let symlinks = 0;
  let unreadable = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    const entries = await entriesOf(folder, folder === root);
    if (entries === null) unreadable++;
    for (const entry of entries ?? []) {
      if (entry.isSymbolicLink()) symlinks++;
      else if (entry.isDirectory()) folders.push(join(folder, entry.name));
      else if (entry.isFile()) files.push(join(folder, entry.name));
    }
    if (files.length > filesMax) throw new RangeError(`${root} has more than ${filesMax} files`);
  }
  return { root, files: files.sort(), symlinks, unreadable };
}

/** `null` for a folder that may not be read or went away meanwhile; for the root that is an error. */
async function entriesOf(folder: string, isRoot: boolean) {
  try {
    return await Array.fromAsync(await opendir(folder));
  } catch (error) {
    if (isRoot) throw error;
    return null;
  }
}

/** What to tell a person when a path cannot be read, or `null` when it is not about the path: then it may pass. */
export function pathProblem(error: unknown, path: string): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return `There is nothing at ${path}.`;
  if (code === 'EACCES' || code === 'EPERM') return `This user may not read ${path}.`;
  if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
    return `${path} is not a path that can be read (${code}).`;
  return error instanceof RangeError ? `${error.message}.` : null;
}
