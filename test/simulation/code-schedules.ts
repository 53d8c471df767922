/** The code of the simulated schedules, which every worker has. */

import type { CodeSchedule } from '../../src/core/code-schedule.ts';
import type { Behaviour, SimPayload } from './handlers.ts';

/** Names of all schedules there may be; workers have the code of each. */
export const scheduleNames = ['tick', 'tock'] as const;

const behaviours: readonly Behaviour[] = [
  { does: 'ok', ms: 10 },
  { does: 'ok', ms: 4_000 },
  { does: 'throw', ms: 300 },
  { does: 'ok', ms: 900 },
];

/** What the schedules make in the worker: the same for everybody, and another for each time. */
export const codeSchedules: ReadonlyMap<string, CodeSchedule> = new Map(
  scheduleNames.map((name) => [
    name,
    { name, makeInput: ({ at }: { readonly at: Date }) => payloadOf(name, at.getTime()) } as unknown as CodeSchedule,
  ]),
);

function payloadOf(name: string, at: number): SimPayload {
  return { n: numberOf(name, at), runs: [behaviours[Math.floor(at / 1_000) % behaviours.length]!] };
}

/** The number of a request that no client has made. */
export function numberOf(name: string, at: number): number {
  return at * 10 + scheduleNames.indexOf(name as (typeof scheduleNames)[number]);
}
