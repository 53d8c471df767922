/** Checks that the end of every trust is watched from the moment in which somebody relies on it. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { createKeeper, type LeaseHolder } from './keeper.ts';
import { createMailbox } from './mailbox.ts';

function keeperOf(ends: readonly number[]) {
  const clock = createManualClock();
  const chance = seededChance(1);
  const told: number[] = [];
  const holder: LeaseHolder = {
    takeBeats: () => [],
    takeSettling: () => [],
    answered: () => undefined,
    failed: () => undefined,
    trustEndsAt: () => ends.find((at) => at > (told.at(-1) ?? -1)) ?? Infinity,
    endTrust: (elapsed) => void told.push(elapsed),
  };
  const keeper = createKeeper({
    broker: createMemoryBroker({ now: clock.now, chance }),
    clock,
    chance,
    leaseMs: 30_000,
    holder,
    mailbox: createMailbox(() => null),
    presence: () => {
      throw new Error('it never beats');
    },
    onAnswer: () => undefined,
    report: () => undefined,
  });
  return { clock, keeper, told };
}

test('a trust that begins between two heartbeats ends in time', async () => {
  const { clock, keeper, told } = keeperOf([]);
  keeper.watch(27_000);
  await clock.advance(26_999);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual([27_000]);
  expect(clock.timers()).toBe(0);
});

test('the earliest end is watched, and after it the next', async () => {
  const { clock, keeper, told } = keeperOf([1_000, 5_000]);
  keeper.watch(5_000);
  keeper.watch(1_000);
  keeper.watch(9_000);
  expect(clock.timers()).toBe(1);
  await clock.advance(10_000);
  expect(told).toEqual([1_000, 5_000]);
});
