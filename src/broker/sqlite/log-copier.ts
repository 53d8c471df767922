/** Has the log copied into the file on a second thread: whoever commits stood still for it, some ten milliseconds every few commits. */

import { Worker } from 'node:worker_threads';
import type { Clock } from '../../core/time.ts';

/** What the loop says to the thread. */
export type CopyOrder = 'copy' | 'close';
/** What it answers to a copy; `failed` is a full disk or one with errors. */
export type CopyAnswer = 'copied' | 'failed';

/** What is needed of the thread. */
export type CopierThread = Pick<Worker, 'on' | 'once' | 'postMessage' | 'ref' | 'unref'>;

export interface LogCopierOptions {
  readonly file: string;
  readonly clock: Clock;
  /** Bytes of the log that are not in the file yet; `null` where SQLite does not tell, and commits copy. */
  readonly uncopiedBytes: () => number | null;
  /** For tests. */
  readonly startThread?: (file: string) => CopierThread;
}

export interface LogCopier {
  /** A transaction was committed. Never throws: it is stored, and must not seem to have failed. */
  committed(): void;
  /** Resolves when the thread has let go of the file. */
  close(): Promise<void>;
}

/** Between two looks at the log, some 5 µs each. At 50 MB a second, more than any disk here was given, it grows by 1 MB meanwhile. */
const lookMs = 20;
/** Copied from here on: each copy waits for the disk twice, and a page that changes often is copied once a copy. */
const copiedFromBytes = 4 * 1024 * 1024;
/** A program that is over sooner needs no thread, which takes 20 ms to start: what it leaves is copied as it closes. */
const startedAfterMs = 1_000;
/** After a copy, or a thread, that failed. Until then, and without a thread, commits copy the log themselves when it has become long. */
const retryMs = 10_000;

/** Nothing is started before the first commit. */
export function createLogCopier({
  file,
  clock,
  uncopiedBytes,
  startThread = startCopierThread,
}: LogCopierOptions): LogCopier {
  let thread: CopierThread | null = null;
  let firstAt: number | null = null;
  let lookAt = -Infinity;
  let isCopying = false;

  const later = (): void => {
    lookAt = clock.elapsed() + retryMs;
  };

  const started = (): CopierThread => {
    const begun = startThread(file);
    const over = (): void => {
      if (thread === begun) thread = null;
      isCopying = false;
      later();
    };
    begun.on('message', (answer: CopyAnswer) => {
      isCopying = false;
      if (answer === 'failed') later();
    });
    begun.once('error', over);
    begun.once('exit', over);
    // It keeps no program from ending.
    begun.unref();
    return begun;
  };

  return {
    committed: () => {
      const now = clock.elapsed();
      firstAt ??= now;
      if (isCopying || now < lookAt || now - firstAt < startedAfterMs) return;
      lookAt = now + lookMs;
      try {
        const bytes = uncopiedBytes();
        if (bytes === null) lookAt = Infinity;
        if (bytes === null || bytes < copiedFromBytes) return;
        thread ??= started();
        thread.postMessage('copy' satisfies CopyOrder);
        isCopying = true;
      } catch {
        // No memory for a thread, or a look in vain: the log is copied by a commit when it has become long.
        later();
      }
    },
    close: async () => {
      const closing = thread;
      thread = null;
      if (closing === null) return;
      const ended = new Promise<void>((resolve) => closing.once('exit', () => resolve()));
      closing.ref();
      closing.postMessage('close' satisfies CopyOrder);
      await ended;
    },
  };
}

function startCopierThread(file: string): CopierThread {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const url = new URL(`./log-copier-thread${extension}`, import.meta.url);
  return new Worker(url, { name: 'taskflow log copier', workerData: file });
}
