/** Asks a server in this process, without a network, and keeps how long it took and what it asked of its database. */

import process from 'node:process';
import { createApp } from '../../src/api/app.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Pages } from '../../src/dashboard/pages.tsx';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { quantile } from '../settings.ts';
import type { Case } from './cases.ts';

export interface Asked {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Measured {
  readonly name: string;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Of the processor, for this process: what is left of p95 on a machine that does nothing else. */
  readonly cpu: number;
  /** At most. */
  readonly statements: number;
  /** What the last answer showed, and whether it looked at all there is. */
  readonly found: string;
  /** What the slowest one asked. */
  readonly slowest: readonly Asked[];
}

export interface Measuring {
  readonly store: Store;
  readonly pages: Pages;
  /** Filled by the store as it asks. */
  readonly asked: Asked[];
}

export async function measure(
  { store, pages, asked }: Measuring,
  cases: readonly Case[],
  times: number,
): Promise<readonly Measured[]> {
  // What is looked for behind the pages stays as it is: no request would be the one that asked for it.
  const clock = { ...systemClock, elapsed: () => 0 };
  const context = createContext({ store, actor: { name: 'bench', role: 'admin' }, clock });
  const fetch = createApp({ context, pages, report: (error) => console.error(error) });
  await fetch(new Request('http://127.0.0.1:8000/api/v1/signs'));
  const measured: Measured[] = [];
  for (const { name, path } of cases) {
    const took: number[] = [];
    const used: number[] = [];
    let [statements, worst, found] = [0, 0, ''];
    let slowest: readonly Asked[] = [];
    // The first time loads schemas and pages of the program.
    for (let time = -1; time < times; time += 1) {
      asked.length = 0;
      const [from, cpu] = [performance.now(), process.cpuUsage()];
      const response = await fetch(new Request(`http://127.0.0.1:8000${path(Math.max(0, time))}`));
      const text = await response.text();
      const ms = performance.now() - from;
      const { user, system } = process.cpuUsage(cpu);
      if (response.status >= 400) throw new Error(`${path(time)}: ${response.status} ${text.slice(0, 300)}`);
      found = foundIn(text);
      if (time < 0) continue;
      took.push(ms);
      used.push((user + system) / 1_000);
      statements = Math.max(statements, asked.length);
      if (ms >= worst) [worst, slowest] = [ms, [...asked]];
    }
    measured.push({
      name,
      p50: quantile(took, 0.5),
      p95: quantile(took, 0.95),
      p99: quantile(took, 0.99),
      cpu: quantile(used, 0.95),
      statements,
      found,
      slowest,
    });
  }
  return measured;
}

function foundIn(text: string): string {
  if (!text.startsWith('{"tasks":[')) return '';
  const { tasks, next, scanned } = JSON.parse(text) as {
    tasks: readonly unknown[];
    next: string | null;
    scanned: string;
  };
  return `${tasks.length}${scanned === 'newest' ? ', goes on' : next === null ? ', all' : ''}`;
}
