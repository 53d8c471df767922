/** The program `taskflow`: hands the process to the command line and ends with its exit code. */

import { runCli } from './cli.ts';
import { showError, uncaught } from './problem.ts';
import { detectTerminal } from './terminal.ts';

/** A reader that has seen enough (`| head`) is no error; there is nobody left to tell anything. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}

/** Long-running commands catch these themselves, to put their tasks down first. */
for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(kind, (error: unknown) => {
    if (process.listenerCount(kind) > 1) return;
    const terminal = detectTerminal(process.stderr, process.env);
    process.exit(showError(process.stderr, terminal, 'table', uncaught(error), true));
  });
}

const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: workingFolder(),
  async readStdin() {
    const chunks: string[] = [];
    for await (const chunk of process.stdin.setEncoding('utf8')) chunks.push(String(chunk));
    return chunks.join('');
  },
});

// Task files may leave timers and sockets behind: what was written is flushed, then the process ends.
process.exitCode = exitCode;
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));

/** A folder that was removed under the shell is no bug, and nothing could be found in it. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    process.stderr.write('This folder was removed: change to another one.\n');
    process.exit(2);
  }
}
