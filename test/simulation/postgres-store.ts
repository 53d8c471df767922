/** Postgres under simulation: the real adapter against a real server, which holds the world up with each call. */

import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readEvents } from '../../src/broker/sql/events.ts';
import { seededChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { createPlaces } from '../support/postgres-places.ts';
import { holding, type OutsideStore, sqlLooks } from './sim-store.ts';

/** Stores in this database, one for each world. */
export function postgresWorlds(url: string): OutsideStore & { close(): Promise<void> } {
  const places = createPlaces(url);
  return {
    name: 'postgres',
    close: places.close,
    async open({ clock, timeline }) {
      const place = places.take();
      const { address, namespace, pool } = place;
      // What it waits for itself is no time of the world's, nor is it of the world's chance whether tables had to be made.
      const chance = seededChance(1);
      const broker = createPostgresBroker({ address, namespace, pool, chance, clock: systemClock, now: clock.now });
      await broker.open();
      return {
        broker: holding(inTurn(broker), timeline),
        state: null,
        driver: null,
        ...sqlLooks(broker.driver),
        events: (seq) => timeline.hold(broker.driver.read((tx) => readEvents(tx, seq, 1_000))),
        close: async () => {
          await broker.close();
          await places.giveBack(place);
        },
      };
    },
  };
}

/** One call after the other: of two at once nobody could say which comes first, and a seed is to tell one story. */
function inTurn<Calls extends object>(calls: Calls): Calls {
  let last: Promise<unknown> = Promise.resolve();
  const wrap = <Some extends object>(some: Some): Some =>
    Object.fromEntries(
      Object.entries(some).map(([name, member]: [string, unknown]) => {
        if (name === 'schedules' && typeof member === 'object' && member !== null) return [name, wrap(member)];
        if (typeof member !== 'function' || name === 'subscribe') return [name, member];
        return [
          name,
          (...given: unknown[]) => {
            const answer = last.then(() => member(...given) as Promise<unknown>);
            last = answer.catch(() => {});
            return answer;
          },
        ];
      }),
    ) as Some;
  return wrap(calls);
}
