/** Ends long-running commands: the first signal drains, the second leaves at once, a bug in a handler's code drains briefly. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { isOfHandler } from '../worker/strays.ts';
import { restartExitCode } from './anew.ts';
import type { Call } from './command.ts';
import { showError, uncaught } from './problem.ts';

/** How long a process in an unknown state may take to put its tasks down. */
const crashDrainMs = 5_000;

/** `npm` and `timeout` pass on the Ctrl-C that the terminal has sent to us already: one key press must not count twice. */
const echoMs = 300;

export interface RunUntilStopped {
  readonly clock: Clock;
  /** What the first signal says on stderr. */
  readonly farewell: string;
  /** Puts everything down within about `drainMs` (`null`: as configured). Never rejects. */
  stop(drainMs: number | null): Promise<void>;
  /** Takes what to call when the process is to begin anew. */
  onRestart?(begin: () => void): void;
}

/** Resolves to the exit code once everything is down: 0 after a signal, 1 after an uncaught error, 75 for a restart. */
export function untilStopped(call: Call, { clock, farewell, stop, onRestart }: RunUntilStopped): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    let firstAt = 0;

    const onSignal = (): void => {
      if (stopping && clock.elapsed() - firstAt < echoMs) return;
      if (stopping) {
        call.output.warn('Leaving at once. Tasks that were running are run again when their lease ends.');
        process.exit(1);
      }
      stopping = true;
      firstAt = clock.elapsed();
      // The terminal has just shown ^C.
      if (call.output.notes.isPerson) call.stderr.write('\r\u001b[K');
      call.output.warn(farewell);
      void stop(null).then(() => resolve(0));
    };

    onRestart?.(() => {
      if (stopping) return;
      stopping = true;
      void stop(null).then(() => resolve(restartExitCode));
    });

    const onCrash = (error: unknown): void => {
      // Its run fails for it; the runs beside it go on.
      if (isOfHandler()) return;
      showError(call.stderr, call.output.notes, call.output.format, uncaught(error), true);
      if (stopping) return;
      stopping = true;
      call.output.warn('This process is in an unknown state now: stopping.');
      const cancel = clock.schedule(crashDrainMs + limits.flushMs, () => process.exit(1));
      void stop(crashDrainMs).then(() => {
        cancel();
        resolve(1);
      });
    };

    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('uncaughtException', onCrash);
    process.on('unhandledRejection', onCrash);
  });
}
