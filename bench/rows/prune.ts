/** How long one step of removing old tasks holds everybody up, and what a claim beside it waits. */

import process from 'node:process';
import type { Store } from '../../src/history/history.ts';
import { quantile } from '../settings.ts';

export interface Pruned {
  readonly tasks: number;
  readonly p50: number;
  readonly max: number;
  /** Of the processor, at most. */
  readonly cpu: number;
  /** The longest time in which nothing else of this process ran. */
  readonly pause: number;
}

/** Removes so many steps of `limit` tasks that are past their time. */
export async function measurePrune({ broker }: Store, steps: number, limit: number): Promise<Pruned> {
  const [took, used]: [number[], number[]] = [[], []];
  let [tasks, pause, last] = [0, 0, performance.now()];
  const turns = setInterval(() => {
    pause = Math.max(pause, performance.now() - last);
    last = performance.now();
  }, 0);
  for (let step = 0; step < steps; step += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    tasks += await broker.prune(limit);
    took.push(performance.now() - from);
    const { user, system } = process.cpuUsage(cpu);
    used.push((user + system) / 1_000);
  }
  clearInterval(turns);
  return { tasks, p50: quantile(took, 0.5), max: Math.max(...took), cpu: Math.max(...used), pause };
}
