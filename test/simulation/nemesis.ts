/** What goes wrong around the processes: they die, freeze, are stopped; the store goes away; clocks jump. */

import type { Seat } from './members.ts';
import { between, nextIn, pick } from './swarm.ts';
import type { World } from './world.ts';

/** Starts every trouble that the seed switched on. It ends when the world is healed; only restarts go on. */
export function unleash(world: World): void {
  const { swarm, chance } = world;
  repeat(world, swarm.crashEveryMs, () => {
    const seat = pick(chance, world.seats);
    world.trace(seat.name, 'is killed');
    seat.member?.process.crash();
  });
  repeat(world, swarm.freezeEveryMs, () => {
    const seat = pick(chance, world.seats);
    const ms = between(chance, 100, 3 * swarm.leaseMs);
    world.trace(seat.name, `is frozen for ${Math.round(ms)} ms`);
    seat.member?.process.freeze(ms);
  });
  repeat(world, swarm.stopEveryMs, () => stop(world, pick(chance, world.seats)));
  repeat(world, swarm.outageEveryMs, () => {
    if (world.network.isStoreAway) return;
    const ms = between(chance, 100, swarm.outageMaxMs);
    world.trace('store', `is away for ${Math.round(ms)} ms`);
    world.network.isStoreAway = true;
    world.timeline.at(world.timeline.now + ms, () => {
      world.network.isStoreAway = false;
    });
  });
  repeat(world, swarm.storeStepEveryMs, () => {
    const ms = chance.float() < 0.7 ? between(chance, 6_000, 600_000) : -between(chance, 100, 20_000);
    world.trace('store', `clock steps by ${Math.round(ms)} ms`);
    world.stepStore(ms);
  });
  repeat(world, swarm.wallStepEveryMs, () => {
    const process = pick(chance, world.processes);
    process.stepWall(between(chance, -3_600_000, 3_600_000));
  });
  supervise(world);
}

function repeat(world: World, everyMs: number, act: () => void): void {
  if (everyMs === Infinity) return;
  const next = (): void => {
    world.timeline.at(world.timeline.now + nextIn(world.chance, everyMs), () => {
      if (world.isHealed) return;
      act();
      next();
    });
  };
  next();
}

/** What a process manager does at a deploy: asks for the end, waits, starts the next one. */
function stop(world: World, seat: Seat): void {
  const { member } = seat;
  if (member === null || !member.process.isAlive || member.stopped) return;
  member.stopped = true;
  world.trace(seat.name, 'is stopped');
  void member.stop().then(() => {
    world.trace(seat.name, 'has stopped');
    member.process.retire();
    world.timeline.at(world.timeline.now + 100, () => world.start(seat));
  });
}

const lookEveryMs = 500;

/** Starts again what died, a little later. */
function supervise(world: World): void {
  const { timeline, chance } = world;
  const waiting = new Set<Seat>();
  const look = (): void => {
    for (const seat of world.seats) {
      if (waiting.has(seat) || seat.member?.process.isAlive !== false) continue;
      waiting.add(seat);
      timeline.at(timeline.now + between(chance, 10, world.isHealed ? 1_000 : 20_000), () => {
        waiting.delete(seat);
        world.start(seat);
      });
    }
    timeline.at(timeline.now + lookEveryMs, look);
  };
  look();
}
