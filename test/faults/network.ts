/** What a bad network does to a run, and that the run goes on after it. */

import { expect } from 'vitest';
import { seededChance } from '../../src/core/chance.ts';
import type { Fault, FaultProxy } from '../../src/servers/fault-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { pass, type Run } from './run.ts';

type ProxiedRun = Run & { readonly proxy: FaultProxy };

/** Nothing comes through, and nobody is told: not at all, then not back, then never again on the connections there are. */
export async function silence({ proxy, goesOn }: ProxiedRun, ms: number): Promise<void> {
  for (const of of ['both', 'replies'] as const) {
    const before = proxy.hits();
    proxy.inflict({ kind: 'silence', of });
    await pass(ms);
    // Where others have the processors, it takes longer until anybody says a word.
    await waitFor(() => expect(proxy.hits()).toBeGreaterThan(before));
    proxy.inflict({ kind: 'none' });
    await goesOn();
  }
  await waitFor(() => expect(proxy.abandon()).toBeGreaterThan(0));
  await goesOn();
}

const cutAmong = 6;
const fewestCuts = 5;

/** For so long, and at least a few times, connections are reset with a call under way, most of which was executed. */
export async function cutCalls(
  { proxy, goesOn }: ProxiedRun,
  { ms, request }: { readonly ms: number; readonly request: RegExp },
): Promise<void> {
  const chance = seededChance(7);
  const until = performance.now() + ms;
  for (let cuts = 0; cuts < fewestCuts || performance.now() < until; cuts++) {
    const nth = 1 + Math.floor(chance.float() * cutAmong);
    await cutOnce(proxy, { kind: 'cutAt', request, nth, executed: chance.float() < 0.7 });
  }
  proxy.inflict({ kind: 'none' });
  await goesOn();
}

/** Until it has hit: whoever asked may have given up the request that was to be hit, and then it is another one. */
export async function cutOnce(proxy: FaultProxy, fault: Fault & { readonly kind: 'cutAt' }): Promise<void> {
  const hits = proxy.hits();
  for (let waitedMs = 0; proxy.hits() === hits; waitedMs += lookMs) {
    if (waitedMs % anotherMs === 0) proxy.inflict(fault);
    await pass(lookMs);
  }
}

const lookMs = 5;
const anotherMs = 2_000;
