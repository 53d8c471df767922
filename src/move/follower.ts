/** A recorder for the time of a move: servers are stopped, and so nobody else follows the live store. */

import { TaskFlowError } from '../core/errors.ts';
import { sleep } from '../core/time.ts';
import { createRecorder } from '../engine/recorder.ts';
import type { LiveMoveOptions } from './live-move.ts';

export interface Follower {
  /** Resolves with the last event, when the record has it. Rejects with what the recorder cannot get over. */
  caughtUp(): Promise<number>;
  stop(): Promise<void>;
}

const lookMs = 20;
/** Failures in a row that are no hiccup of a store any more. */
const failuresMax = 10;

export function startFollower({ live, recording, clock, chance }: LiveMoveOptions): Follower {
  let problem: unknown = null;
  const service = createRecorder({
    broker: live,
    outbox: live.outbox,
    recording,
    clock,
    chance,
    report: (report) => {
      if (report.kind === 'recovered') problem = null;
      else if (report.failures >= failuresMax || !(report.error instanceof TaskFlowError && report.error.retryable))
        problem = report.error;
    },
  });
  service.start();
  return {
    async caughtUp() {
      for (;;) {
        const [{ seq }, { lastSeq }] = [await recording.cursor(), await live.outbox.state()];
        if (seq >= lastSeq) return lastSeq;
        if (problem !== null) throw problem;
        await sleep(clock, lookMs);
      }
    },
    stop: () => service.stop(),
  };
}
