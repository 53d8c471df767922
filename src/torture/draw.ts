/** Draws from chance, for plans that a seed decides. */

import type { Chance } from '../core/chance.ts';

/** A number from `min` to below `max`. */
export function between(chance: Chance, min: number, max: number): number {
  return min + (max - min) * chance.float();
}

/** A whole number from `min` to `max`. */
export function whole(chance: Chance, min: number, max: number): number {
  return min + Math.floor(chance.float() * (max - min + 1));
}

export function pick<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[Math.floor(chance.float() * items.length)] as Item;
}

/** Time to the next of events that come `everyMs` apart on average. */
export function nextIn(chance: Chance, everyMs: number): number {
  return -Math.log(1 - chance.float()) * everyMs;
}

/** One of the names, each as often as its weight says. */
export function pickWeighted<Name extends string>(chance: Chance, weights: Readonly<Record<Name, number>>): Name {
  const entries = Object.entries(weights) as [Name, number][];
  let at = chance.float() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    at -= weight;
    if (at < 0) return name;
  }
  return (entries.at(-1) as [Name, number])[0];
}
