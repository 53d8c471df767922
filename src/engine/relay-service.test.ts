/** Checks that an engine pushes what waits for its broker, and goes on after an outage. */
import { expect, test } from 'vitest';
import { createEngineRig } from '../../test/support/engine-rig.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../history/history.ts';
import { createEngine } from './engine.ts';
import type { ServiceReport } from './service.ts';

test('an engine pushes page after page, then once a second, and is back soon after an outage', async () => {
  const clock = createManualClock();
  let [pushes, pages, isAway] = [0, 3, false];
  const push = async () => {
    pushes += 1;
    if (isAway) throw taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
    return --pages > 0 ? 'full' : 'done';
  };
  const history = { sample: async () => true };
  const store = { broker: createEngineRig().broker, history, relay: { push } } as unknown as Store;
  const reports: ServiceReport[] = [];
  const report = (one: ServiceReport) => void reports.push(one);
  const engine = createEngine({ store, clock, chance: seededChance(1), report, isGone: () => false });
  engine.start();
  await clock.advance(10);
  expect(pushes).toBe(3);
  await clock.advance(1.1 * limits.relayMs);
  expect(pushes).toBe(4);
  isAway = true;
  await clock.advance(60_000);
  isAway = false;
  await clock.advance(1.1 * limits.backoffMaxMs);
  await engine.stop();
  expect(reports.filter(({ service }) => service === 'relay').at(-1)?.kind).toBe('recovered');
});
