/** Begins this program anew after it was told to restart, with its words, its terminal and its process id. */

import process from 'node:process';

/** For a supervisor, where a process cannot replace itself: start me again. The "temporary failure" of sysexits. */
export const restartExitCode = 75;

/** Does not return where the system lets a process replace itself; answers the exit code elsewhere. */
export function beginAnew(): number {
  // Absent on Windows. A parent with a channel would lose it: it starts the next process by itself.
  if (typeof process.execve === 'function' && process.send === undefined) {
    const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.execve(process.execPath, words, process.env);
  }
  return restartExitCode;
}
