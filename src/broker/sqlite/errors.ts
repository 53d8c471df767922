/** What SQLite says, in the words of TaskFlow. */

import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';

/** Primary result codes of SQLite; extended ones carry them in their low byte. */
const codes = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notDatabase: 26,
} as const;

/** The primary result code of an error of `node:sqlite`, else `null`. */
function codeOf(error: unknown): number | null {
  const hasCode = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
  return hasCode ? (error.errcode as number) & 0xff : null;
}

/** Less room than the index of a log needs. */
const roomMinBytes = 64 * 1024;

function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize < roomMinBytes;
  } catch {
    return false;
  }
}

/** Whether another connection holds what this one asked for: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === codes.busy || code === codes.locked;
}

/** Whether the file may be written later without anybody changing where it is. */
export function isOutage(error: unknown): error is TaskFlowError {
  return error instanceof TaskFlowError && (error.code === 'STORE_LOCKED' || error.code === 'STORE_FULL');
}

/** Whether a statement was refused for its values: by a rule of the table, for their size, or because they are none. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  if (code === codes.constraint || code === codes.tooBig || code === codes.mismatch) return true;
  return error instanceof TypeError && 'code' in error && error.code === 'ERR_INVALID_ARG_TYPE';
}

/** The TaskFlowError for an error of SQLite about `file`; anything else is returned as it is. */
export function translate(error: unknown, file: string): unknown {
  if (error instanceof TaskFlowError) return error;
  const code = codeOf(error);
  if (!(error instanceof Error)) return error;
  const problem = error.message;
  if (code === null) {
    // Of the operating system: a look at the file or its log was not allowed.
    const isRefused = 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
    return isRefused ? taskFlowError('STORE_READ_ONLY', { file, problem }, { cause: error }) : error;
  }
  switch (code) {
    case codes.busy:
    case codes.locked:
      return taskFlowError('STORE_LOCKED', { file, problem }, { cause: error });
    case codes.readOnly:
      return taskFlowError('STORE_READ_ONLY', { file, problem }, { cause: error });
    case codes.cannotOpen:
      return taskFlowError(
        'STORE_READ_ONLY',
        { file, problem: `${problem}; it is a folder, or its folder is not writable` },
        { cause: error },
      );
    case codes.full:
      return taskFlowError('STORE_FULL', { file }, { cause: error });
    case codes.corrupt:
      return taskFlowError('STORE_CORRUPT', { file, problem }, { cause: error });
    case codes.notDatabase:
      return taskFlowError(
        'STORE_CORRUPT',
        { file, problem: 'it is not a SQLite database' },
        {
          cause: error,
          hint: 'Choose another file, or move this one away: the file is something else, or encrypted.',
        },
      );
    case codes.io:
      // SQLite says so, too, when there is no room for the index of its log.
      if (isDiskFull(file)) return taskFlowError('STORE_FULL', { file }, { cause: error });
      return taskFlowError('STORE_UNREACHABLE', { problem: `${file}: ${problem}` }, { cause: error });
    default:
      // A broken constraint or statement is a bug, not an operating error.
      return error;
  }
}
