/** What every bench says and needs: the machine, how busy it is, medians, a folder on the disk, children. */

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** The machine in one line. Numbers of two machines do not compare; ratios of one run do. */
export function listSettings(): string {
  const model = cpus()[0]?.model.trim() ?? 'an unknown processor';
  return `Node ${process.version}, SQLite ${process.versions.sqlite ?? '?'}, ${availableParallelism()} cores of ${model}, load ${load()}, files under ${tmpdir()}`;
}

/** Load of the machine over the last minute: other work on it makes every number smaller. */
export function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

/** The value that a share of the others is not above; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Runs `work` in a folder that is removed after it. */
export async function inFolder<Answer>(work: (folder: string) => Promise<Answer>): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), 'taskflow-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a script of this folder in a process of its own and answers what it printed: each measurement starts alike. */
export async function runScript(script: string, ...args: readonly string[]): Promise<string> {
  return (await followScript([script, ...args], () => {})).join('\n');
}

/** The same for a script whose lines are heard as they are printed. */
export function followScript(
  [script = '', ...args]: readonly string[],
  onLine: (line: string) => void,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      onLine(line);
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(lines) : reject(new Error(`${script} ended with code ${code}: ${lines.join('\n')}`)),
    );
  });
}
