/** Remembers which process is the server of a project, so that `server stop` and `server status` find it. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/load.ts';
import { isoTime, systemClock } from '../core/time.ts';
import { storeFile } from './session.ts';

/** What the file holds. */
export interface ServerRecord {
  readonly pid: number;
  readonly url: string;
  readonly startedAt: string;
  /** When the process began, as the system counts it: another process may get the same pid later. `null` where that is not told. */
  readonly birth: string | null;
}

/** `server.json` in the folder of the store's file, else in `.taskflow` of the project. */
export function serverRecordPath(config: Config): string {
  const file = storeFile(config);
  return join(file === null ? join(config.folder, '.taskflow') : dirname(file), 'server.json');
}

/** `server.log` beside it. */
export function serverLogPath(config: Config): string {
  return join(dirname(serverRecordPath(config)), 'server.log');
}

/** The server that is alive; a record of a dead one is removed. */
export function readServerRecord(path: string): ServerRecord | null {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // No file, or one that was being written when its process died: either way no server is known.
    return null;
  }
  if (!isRecord(content)) return null;
  if (isRunning(content)) return content;
  rmSync(path, { force: true });
  return null;
}

/** Writes the record of this process. */
export function writeServerRecord(path: string, url: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const record: ServerRecord = {
    pid: process.pid,
    url,
    startedAt: isoTime(systemClock.now()),
    birth: birthOf(process.pid),
  };
  writeFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** Removes the record if it is that of this process. */
export function removeServerRecord(path: string): void {
  if (readServerRecord(path)?.pid === process.pid) rmSync(path, { force: true });
}

/** Whether exactly that process is alive. */
export function isRunning({ pid, birth }: ServerRecord): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = birthOf(pid);
  return now === null || birth === null || now === birth;
}

/** Field 22 of /proc/<pid>/stat: clock ticks from boot to the start of the process. A zombie counts as gone. */
function birthOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'gone' : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function isRecord(content: unknown): content is ServerRecord {
  return (
    typeof content === 'object' &&
    content !== null &&
    'pid' in content &&
    Number.isInteger(content.pid) &&
    'url' in content &&
    typeof content.url === 'string' &&
    'birth' in content
  );
}
