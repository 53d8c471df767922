/** Planted bugs of schedules: in the store, and in those who fire. */

import type { Broker, Schedules } from '../../src/broker/broker.ts';
import { derivedId } from '../../src/core/ids.ts';
import { encodeSchedule, type Firing, newSchedule, parseSchedule } from '../../src/core/schedule.ts';
import type { Mutation } from './mutation.ts';
import { calmRates } from './network.ts';
import type { Swarm } from './swarm.ts';

/** Schedules, and a store that is away for so long that times are missed. */
const lateSchedulers: Partial<Swarm> = { schedules: 2, servers: 2, outageEveryMs: 12_000, outageMaxMs: 10_000 };
const busySchedulers: Partial<Swarm> = { schedules: 2, servers: 2 };

/** `base` with some of its calls about schedules replaced. */
function withSchedules(base: Broker, calls: Partial<Schedules>): Partial<Broker> {
  const schedules = new Proxy(base.schedules, {
    get: (target, name) => Reflect.get(calls, name) ?? Reflect.get(target, name),
  });
  return { schedules };
}

/** A member that sends other firings than it planned, and knows when it looked. */
function firing(bend: (firing: Firing, lookedAt: number, broker: Broker) => Firing): NonNullable<Mutation['member']> {
  return (broker) => {
    let lookedAt = 0;
    return withSchedules(broker, {
      due: async (limit) => {
        const answer = await broker.schedules.due(limit);
        lookedAt = answer.now;
        return answer;
      },
      fire: (firings) => broker.schedules.fire(firings.map((one) => bend(one, lookedAt, broker))),
    });
  };
}

export const scheduleMutations: readonly Mutation[] = [
  {
    name: 'cron-from-now',
    says: 'the next time of a schedule is counted from now',
    swarm: lateSchedulers,
    member: (broker) => {
      const definitions = new Map<string, string>();
      let lookedAt = 0;
      return withSchedules(broker, {
        due: async (limit) => {
          const answer = await broker.schedules.due(limit);
          lookedAt = answer.now;
          for (const { name, definition } of answer.schedules) definitions.set(name, definition);
          return answer;
        },
        fire: (firings) =>
          broker.schedules.fire(
            firings.map((one) => {
              const definition = definitions.get(one.schedule);
              if (one.kind !== 'fire' || definition === undefined) return one;
              return { ...one, next: newSchedule(one.schedule, parseSchedule(definition), lookedAt).next };
            }),
          ),
      });
    },
  },
  {
    name: 'cron-id-with-version',
    says: 'the id of a firing depends on the version of its schedule',
    swarm: { ...busySchedulers, safetyMs: 150_000 },
    member: firing((one) =>
      one.kind === 'fire'
        ? { ...one, task: { ...one.task, id: derivedId(one.at, `${one.schedule}|${one.version}`) } }
        : one,
    ),
  },
  {
    name: 'catch-up-unbounded',
    says: 'every missed time is caught up on, however old',
    swarm: { ...lateSchedulers, outageMaxMs: 150_000, storeStepEveryMs: 20_000 },
    member: (broker) =>
      withSchedules(broker, {
        due: async (limit) => {
          const answer = await broker.schedules.due(limit);
          const schedules = answer.schedules.map((schedule) => {
            const catchUp = { kind: 'all', max: 1_000, withinMs: 1e12 } as const;
            return { ...schedule, definition: encodeSchedule({ ...parseSchedule(schedule.definition), catchUp }) };
          });
          return { ...answer, schedules };
        },
      }),
  },
  {
    name: 'overlap-outside-the-step',
    says: 'whether the last task has ended is looked up before the firing, not in its step',
    // Between the two somebody runs it by hand, or retries its last task.
    swarm: { ...busySchedulers, people: 3, safetyMs: 150_000, rates: { ...calmRates, slow: 0.4, slowMaxMs: 5_000 } },
    member: (broker) => {
      let lastTasks = new Map<string, string | null>();
      return withSchedules(broker, {
        due: async (limit) => {
          const answer = await broker.schedules.due(limit);
          lastTasks = new Map(answer.schedules.map(({ name, lastTaskId }) => [name, lastTaskId]));
          return answer;
        },
        fire: async (firings) => {
          const ids = firings.map(({ schedule }) => lastTasks.get(schedule) ?? '');
          const tasks = await broker.getTasks(ids);
          return broker.schedules.fire(
            firings.map((one, index) =>
              one.kind === 'fire' && tasks[index]?.finishedAt == null && tasks[index] != null
                ? one
                : { ...one, ...(one.kind === 'fire' && { alone: false }) },
            ),
          );
        },
      });
    },
  },
  {
    name: 'doubled-firing',
    says: 'a firing is done whatever the next time of the schedule is',
    swarm: { ...busySchedulers, servers: 2 },
    store: ({ broker, state }) =>
      withSchedules(broker, {
        fire: (firings) => {
          for (const one of firings) {
            const schedule = state?.schedules.get(one.schedule);
            if (schedule === undefined || one.kind === 'ask') continue;
            state?.schedules.set(one.schedule, {
              ...schedule,
              version: one.version,
              next: { at: one.at, dueAt: one.at },
            });
          }
          return broker.schedules.fire(firings);
        },
      }),
  },
  {
    name: 'pause-of-schedule-ignored',
    says: 'a paused schedule is fired',
    swarm: { schedules: 2, safetyMs: 150_000 },
    store: ({ broker, state }) =>
      withSchedules(broker, {
        fire: async (firings) => {
          const before = new Map(state?.schedules);
          for (const [name, schedule] of before) state?.schedules.set(name, { ...schedule, pause: null });
          const answer = await broker.schedules.fire(firings);
          for (const [name, { pause }] of before) {
            const schedule = state?.schedules.get(name);
            if (schedule !== undefined) state?.schedules.set(name, { ...schedule, pause });
          }
          return answer;
        },
      }),
  },
  {
    name: 'scheduler-gives-up',
    says: 'a scheduler whose store was away once looks no more',
    swarm: { ...lateSchedulers, servers: 1, workers: 1 },
    member: (broker) => {
      let gaveUp = false;
      return withSchedules(broker, {
        due: async (limit) => {
          if (gaveUp) return { now: 0, schedules: [], nextDueAt: null };
          return broker.schedules.due(limit).catch((error: unknown) => {
            gaveUp = true;
            throw error;
          });
        },
      });
    },
  },
];
