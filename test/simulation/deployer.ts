/** Who brings schedules into a simulated world: deploys them, changes, pauses, asks for and deletes them. */

import type { Chance } from '../../src/core/chance.ts';
import { defaultPolicy, encodePolicy } from '../../src/core/policy.ts';
import { askFor, newSchedule, type Overlap, overlaps, type ScheduleDefinition } from '../../src/core/schedule.ts';
import type { Timing } from '../../src/core/schedule-timing.ts';
import { sleep } from '../../src/core/time.ts';
import { scheduleDefinition } from '../support/schedule-samples.ts';
import type { ClientOptions } from './clients.ts';
import { scheduleNames } from './code-schedules.ts';
import { queueNames } from './requests.ts';
import { between, pick, whole } from './swarm.ts';

const timings: readonly Timing[] = [
  { everyMs: 3_000 },
  { everyMs: 5_000 },
  { everyMs: 7_000 },
  { everyMs: 20_000 },
  { cron: '* * * * *', timezone: 'UTC' },
  { cron: '*/2 * * * *', timezone: 'Europe/Berlin' },
];
/** Stores schedules and does with them what people do, until the world is healed. */
export async function deploy(options: ClientOptions): Promise<void> {
  const { process, swarm } = options;
  const { clock, chance } = process;
  const versions = new Map(
    scheduleNames.slice(0, swarm.schedules).map((name) => [name, [draw(chance), draw(chance)] as const]),
  );
  while (!options.isOver()) {
    for (const [name, both] of versions) {
      try {
        await act(options, name, both);
      } catch {
        // Sent again at the next turn; what it did, the store tells.
      }
    }
    await sleep(clock, between(chance, 0, swarm.safetyMs / 10));
  }
}

/** A definition; the other version of it has other times, or only another overlap. */
function draw(chance: Chance): ScheduleDefinition {
  const overlap: Overlap = pick(chance, overlaps);
  const late = pick(chance, ['none', 'latest', 'all'] as const);
  const base = scheduleDefinition();
  return {
    ...base,
    timing: pick(chance, timings.slice(0, whole(chance, 1, timings.length))),
    jitterMs: chance.float() < 0.3 ? 2_000 : 0,
    overlap,
    catchUp:
      late === 'all' && overlap !== 'skip'
        ? { kind: 'all', max: 3, withinMs: 60_000 }
        : { kind: late === 'all' ? 'latest' : late },
    input: 'made',
    task: {
      ...base.task,
      name: 'work',
      queue: pick(chance, queueNames),
      payload: '',
      policy: encodePolicy({ ...defaultPolicy, attempts: 3, delayMs: 1_000, keepSucceededMs: 240_000 }),
      keepMs: 300_000,
      limits: overlap === 'queue' ? [{ name: 'schedule', max: 1, rate: null }] : [],
    },
  };
}

async function act(
  { process: { clock, chance }, broker: { info, schedules } }: ClientOptions,
  name: string,
  versions: readonly ScheduleDefinition[],
): Promise<void> {
  const put = async (): Promise<unknown> => {
    const { now } = await info();
    // A deploy takes its time: when it arrives, the time it has computed may have been fired.
    if (chance.float() < 0.3) await sleep(clock, between(chance, 0, 6_000));
    return schedules.put([newSchedule(name, pick(chance, versions), now)]);
  };
  switch (whole(chance, 0, 10)) {
    case 0:
      return void (await schedules.pause([name], { by: 'somebody', reason: null }));
    case 1:
    case 2:
      return void (await schedules.pause([name], null));
    case 3:
      return void (await schedules.delete([name]));
    case 4:
    case 5: {
      const [[schedule], { now }] = [await schedules.get([name]), await info()];
      const at = now - whole(chance, 0, 30) * 1_000;
      return void (schedule != null && (await schedules.fire([askFor(schedule, at)])));
    }
    default:
      return void (await put());
  }
}
