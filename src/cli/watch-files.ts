/** Notices that files of a project were changed: folders that exist, those that come later, and the files that tasks import. */

import { type Dirent, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { Cancel, Clock } from '../core/time.ts';

export interface FileWatch {
  /** Watches the folders of these files too. */
  add(files: readonly string[]): void;
  close(): void;
}

export interface FileWatchOptions {
  /** Absolute paths of folders, watched with all in them, or of files. */
  readonly folders: readonly string[];
  readonly clock: Clock;
  /** Told once things are quiet again, with the absolute paths that changed. */
  readonly onChange: (files: readonly string[]) => void;
}

/** Editors write a file in several steps, and a checkout many files: what comes within this time is one change. */
const quietMs = 120;

/** Beyond this many folders the rest is left to `r`: each is a watch of the system. */
const foldersMax = 500;

/** What a task can import; everything else in its folder is none of its code. */
const code = /\.(?:[cm]?[jt]sx?|json)$/;

export function watchFiles({ folders, clock, onChange }: FileWatchOptions): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  const signatures = new Map<string, string>();
  const changed = new Set<string>();
  const imported = new Set<string>();
  const importedFrom = new Set<string>();
  let cancel: Cancel | null = null;
  let closed = false;

  function note(path: string): void {
    if (!isCode(path)) return;
    // A touched file with the same content would begin a process for nothing; time and size are as good as the content.
    const signature = signatureOf(path);
    if (signatures.get(path) === signature) return;
    signatures.set(path, signature);
    changed.add(path);
    cancel?.();
    cancel = clock.schedule(quietMs, tell);
  }

  /** Beside the folders of tasks, where their runs may write: code that none of them imports yet may be the missing one, data not. */
  function noteBeside(path: string): void {
    if (imported.has(path) || (importedFrom.has(dirname(path)) && !path.endsWith('.json'))) note(path);
  }

  function tell(): void {
    cancel = null;
    const files = [...changed];
    changed.clear();
    if (!closed) onChange(files);
  }

  function start(folder: string, onEvent: (path: string) => void): void {
    if (watchers.has(folder) || watchers.size > foldersMax) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) =>
        onEvent(name === null ? folder : join(folder, name)),
      );
      // Such as a folder that was removed, or too many watches on this machine.
      watcher.on('error', () => stop(folder));
      watchers.set(folder, watcher);
    } catch {
      // It vanished while it was looked at: what comes in its place is noticed above it.
    }
  }

  function stop(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  /** Folder by folder: where the system has no deep watch, Node's own loses a file that an editor replaced. */
  function watchTree(folder: string): void {
    if (watchers.has(folder) || !isCodeFolder(folder)) return;
    start(folder, (path) => {
      note(path);
      if (isFolder(path)) watchTree(path);
    });
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) watchTree(path);
      else if (!signatures.has(path)) signatures.set(path, signatureOf(path));
    }
  }

  /** A folder that is not there is waited for in the nearest one above it that is. */
  function watchRoot(path: string): void {
    if (closed) return;
    const found = nearestExisting(path);
    if (found === path) {
      if (isFolder(path)) watchTree(path);
      else start(dirname(path), (changedPath) => changedPath === path && note(path));
      return;
    }
    start(found, (changedPath) => {
      noteBeside(changedPath);
      if (nearestExisting(path) === found) return;
      stop(found);
      watchRoot(path);
      // What was put in it before it was watched.
      changed.add(path);
      cancel?.();
      cancel = clock.schedule(quietMs, tell);
    });
  }

  for (const folder of folders) watchRoot(resolve(folder));
  return {
    add(files) {
      for (const file of files) {
        signatures.set(file, signatureOf(file));
        const isInside = folders.some((folder) => file.startsWith(resolve(folder) + sep));
        if (isInside) continue;
        imported.add(file);
        importedFrom.add(dirname(file));
        start(dirname(file), noteBeside);
      }
    },
    close() {
      closed = true;
      cancel?.();
      for (const folder of [...watchers.keys()]) stop(folder);
    },
  };
}

function isCode(path: string): boolean {
  return isCodeFolder(dirname(path)) && !basename(path).startsWith('.') && code.test(basename(path));
}

/** Nobody's tasks are in packages, nor in what tools keep for themselves. */
function isCodeFolder(path: string): boolean {
  return !path.split(sep).includes('node_modules') && !basename(path).startsWith('.');
}

/** Of a folder that is gone by now there is nothing to tell. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function signatureOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? 'gone' : `${found.mtimeMs} ${found.size}`;
}

function nearestExisting(path: string): string {
  let at = path;
  while (statSync(at, { throwIfNoEntry: false }) === undefined && dirname(at) !== at) at = dirname(at);
  return at;
}
