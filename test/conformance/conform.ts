/** Runs the whole suite on one store. */

import { describe, test } from 'vitest';
import { cancelCases } from './cancel.ts';
import { claimCases } from './claim.ts';
import { claimOverdueCases } from './claim-overdue.ts';
import { configureCases } from './configure.ts';
import { controlCases } from './control.ts';
import { dependencyCases } from './dependencies.ts';
import { enqueueCases } from './enqueue.ts';
import { flowCases } from './flow.ts';
import { fullLimitCases } from './full-limits.ts';
import { groupCases } from './groups.ts';
import { handOverCases } from './hand-over.ts';
import { heartbeatCases } from './heartbeat.ts';
import { infoCases } from './info.ts';
import { keyCases } from './key.ts';
import { limitSettingCases } from './limit-settings.ts';
import { limitCases } from './limits.ts';
import { matrixCases } from './matrix.ts';
import { parentEndCases } from './parent-ends.ts';
import { peekCases } from './peek.ts';
import { promoteCases } from './promote.ts';
import { pruneCases } from './prune.ts';
import { reachCases } from './reach.ts';
import { readCases } from './reads.ts';
import { removeCases } from './remove.ts';
import { restoreCases } from './restore.ts';
import { retryCases } from './retry.ts';
import { fireCases } from './schedule-fire.ts';
import { scheduleCases } from './schedules.ts';
import { settingCases } from './settings.ts';
import { settleCases } from './settle.ts';
import { standingCases } from './standing.ts';
import type { CreateStore } from './store.ts';
import { subscribeCases } from './subscribe.ts';
import { taskLimitCases } from './task-limits.ts';
import { transactionCases } from './transactions.ts';
import { updateCases } from './update.ts';
import { verdictCases } from './verdict.ts';
import { type Case, createWorld } from './world.ts';

const suite: Readonly<Record<string, readonly Case[]>> = {
  'every method in every state': matrixCases,
  enqueue: enqueueCases,
  'enqueue with a key': keyCases,
  'within reach': reachCases,
  restore: restoreCases,
  claim: claimCases,
  'claims that stand': standingCases,
  heartbeat: heartbeatCases,
  settle: settleCases,
  'settle: the verdict': verdictCases,
  'limits of tasks': taskLimitCases,
  'behind full limits': fullLimitCases,
  groups: groupCases,
  'rates and settings of limits': limitSettingCases,
  dependencies: dependencyCases,
  'the ends of parents': parentEndCases,
  'spawned tasks and flows': flowCases,
  promote: promoteCases,
  claimOverdue: claimOverdueCases,
  prune: pruneCases,
  cancel: cancelCases,
  retry: retryCases,
  remove: removeCases,
  update: updateCases,
  configure: configureCases,
  'configure of groups, limits and queues': settingCases,
  control: controlCases,
  schedules: scheduleCases,
  'firing schedules': fireCases,
  reads: readCases,
  peek: peekCases,
  'open, close and info': infoCases,
  subscribe: subscribeCases,
  'subscribe with a taker': handOverCases,
  'transactions of users': transactionCases,
  'limits of a call': limitCases,
};

/** Declares the suite for a store; every case ends with a check of all invariants. */
export function conform(storeName: string, createStore: CreateStore): void {
  describe(`${storeName} keeps the seam`, () => {
    for (const [subject, cases] of Object.entries(suite)) declare(subject, cases, createStore);
  });
}

function declare(subject: string, cases: readonly Case[], createStore: CreateStore): void {
  describe(subject, () => {
    // Whole sentences: a `$sentence` would be cut at 40 letters.
    test.for(cases)('%s', async ([, show]) => {
      const world = await createWorld(createStore);
      try {
        await show(world);
        await world.checkAll();
      } finally {
        await world.close();
      }
    });
  });
}
