/** Recorders from a memory store into an SQLite record, on a clock moved by hand. */

import { afterEach, expect } from 'vitest';
import type { Broker, Outbox } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createMemoryState } from '../../src/broker/memory/state.ts';
import { seededChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import { createRecorder } from '../../src/engine/recorder.ts';
import type { Service, ServiceReport } from '../../src/engine/service.ts';
import type { History } from '../../src/history/history.ts';
import { createRecordedHistory } from '../../src/history/recorded/recorded-history.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import type { Gap, Recording } from '../../src/history/recording.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { startAt } from '../conformance/samples.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { sqliteRecord } from './record-databases.ts';

/** A live store with an outbox. */
export type Live = Broker & { readonly outbox: Outbox };

/** A live store, its record, and whoever follows. */
export interface Rig {
  readonly clock: ManualClock;
  readonly recording: Recording;
  readonly gaps: Gap[];
  readonly reports: ServiceReport[];
  live: Live;
  history(recording?: Pick<Recording, 'cursor'>): History;
  recorder(through?: { readonly outbox?: Outbox; readonly recording?: Recording }): Service;
  /** Lets time pass until the record has caught up. */
  caughtUp(): Promise<void>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export function createLive(clock: ManualClock, seed = 1, liveLimits: Partial<typeof outboxLimits> = {}): Live {
  const state = createMemoryState({ ...outboxLimits, ...liveLimits });
  return createMemoryBroker({ now: clock.now, chance: seededChance(seed), state }) as unknown as Live;
}

const outboxLimits = { outboxMax: limits.outboxMax, liveKeepMs: limits.liveKeepMs };

export async function createRig(): Promise<Rig> {
  const clock = createManualClock(startAt);
  const { driver, close } = await sqliteRecord({
    get now() {
      return clock.now();
    },
  });
  closing.push(close);
  const recording = createSqlRecording(driver);
  const rig: Rig = {
    clock,
    recording,
    gaps: [],
    reports: [],
    live: createLive(clock),
    history: (of = recording) =>
      createRecordedHistory({
        history: createSqlHistory(driver, clock, { form: 'record' }),
        recording: of,
        broker: rig.live,
        outbox: rig.live.outbox,
        clock,
      }),
    recorder({ outbox = rig.live.outbox, recording: into = recording } = {}) {
      const service = createRecorder({
        broker: {
          info: () => rig.live.info(),
          restore: (tasks) => rig.live.restore(tasks),
          configure: (...given) => rig.live.configure(...given),
          getQueues: () => rig.live.getQueues(),
          getGroups: (...given) => rig.live.getGroups(...given),
          getLimits: (...given) => rig.live.getLimits(...given),
          get schedules() {
            return rig.live.schedules;
          },
        },
        outbox,
        recording: into,
        clock,
        chance: seededChance(2),
        report: (report) => rig.reports.push(report),
        onGap: (gap) => rig.gaps.push(gap),
      });
      closing.push(() => service.stop());
      service.start();
      return service;
    },
    async caughtUp() {
      await expect
        .poll(
          async () => {
            await clock.advance(limits.recordIdleMs * 2);
            const [{ lastSeq }, { incarnation }] = await Promise.all([rig.live.outbox.state(), rig.live.info()]);
            return {
              behind: lastSeq - (await recording.cursor()).seq,
              isSame: (await recording.cursor()).incarnation === incarnation,
            };
          },
          { interval: 1, timeout: 10_000 },
        )
        .toEqual({ behind: 0, isSame: true });
    },
  };
  return rig;
}
