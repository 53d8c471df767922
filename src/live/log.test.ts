/** Tests that nobody waits for a log that waits: neither who begins to follow it, nor who ends that. */

import { expect, test } from 'vitest';
import { createManualClock, rest } from '../../test/support/manual-clock.ts';
import { seededChance } from '../core/chance.ts';
import type { BatchEvent } from '../core/events.ts';
import type { Feed } from './feed.ts';
import { createLog } from './log.ts';

/** One of a store in which nothing happens: a read that waits brings nothing before it is told to. */
function createQuietFeed() {
  const waiting: ((events: readonly BatchEvent[]) => void)[] = [];
  const feed: Feed = {
    waits: true,
    span: async () => ({ incarnation: 'a', from: 0, last: 7 }),
    read: async (_after, waitMs) => (waitMs === 0 ? [] : new Promise((resolve) => waiting.push(resolve))),
    isWhole: () => true,
  };
  return { feed, waiting };
}

test('who begins to follow hears at once where the log is, and ends without waiting for the next event', async () => {
  const { feed, waiting } = createQuietFeed();
  const clock = createManualClock();
  const looks: (readonly BatchEvent[])[] = [];
  const lost: string[] = [];
  const log = createLog({
    ...{ feed, clock, chance: seededChance(1), report: () => undefined },
    onEvents: (events) => looks.push(events),
    onLost: (reason) => lost.push(reason),
  });
  log.start();
  await clock.advance(0);
  expect(looks).toEqual([[]]);
  expect(log.place).toEqual({ incarnation: 'a', seq: 7 });
  await clock.advance(1_000);
  expect(waiting).toHaveLength(1);
  await log.stop();
  // What comes after that is for nobody.
  waiting[0]?.([{ seq: 8, at: 1, kind: 'enqueue', items: [] }]);
  await rest();
  expect([looks, lost, log.place]).toEqual([[[]], [], null]);
});
