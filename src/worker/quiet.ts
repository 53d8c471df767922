/** Waiting for things to come to an end, but not for ever. */

import type { Clock } from '../core/time.ts';

export interface Quiet {
  /** Looks whether what somebody waits for holds now. Cheap when nobody waits. */
  check(): void;
  /** Resolves when `holds` does, looked at with every `check`, or after `timeoutMs`. One waits at a time. */
  until(holds: () => boolean, timeoutMs: number): Promise<void>;
  /** Resolves when `call` does, or after `timeoutMs`. */
  within(call: Promise<unknown>, timeoutMs: number): Promise<void>;
}

export function createQuiet(clock: Clock): Quiet {
  let onCheck: (() => void) | null = null;

  function until(holds: () => boolean, timeoutMs: number): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        onCheck = null;
        cancel();
        resolve();
      };
      const cancel = clock.schedule(timeoutMs, done);
      onCheck = () => {
        if (holds()) done();
      };
    });
  }

  function within(call: Promise<unknown>, timeoutMs: number): Promise<void> {
    let ended = false;
    const end = (): void => {
      ended = true;
      onCheck?.();
    };
    void call.then(end, end);
    return until(() => ended, timeoutMs);
  }

  return { check: () => onCheck?.(), until, within };
}
