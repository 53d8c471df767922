/** How the processes under torture are started: servers and workers as people start them, clients as programs of our own. */

import module from 'node:module';
import { extname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Launch, Seat } from './crew.ts';
import type { Address } from './ground.ts';
import type { LoadSettings } from './load.ts';
import type { Plan } from './plan.ts';

export interface LaunchOptions {
  readonly plan: Plan;
  readonly folder: string;
  readonly address: Address;
  /** Where the first server listens. */
  readonly port: number;
}

/** Sources when this is one, else what they were compiled to. */
const beside = (path: string): string => fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));

/** So small that a memory bomb goes off before the machine feels it. */
const heapMb = 256;

export function createLaunch({ plan, folder, address, port }: LaunchOptions): (seat: Seat, number: number) => Launch {
  const command = beside('../cli/main');
  const cache = module.getCompileCacheDir?.();
  const env = (number: number): Readonly<Record<string, string>> => ({
    // Its clients have no keys.
    TASKFLOW_SERVER_AUTH: 'none',
    TASKFLOW_BROKER: address.broker,
    ...(address.record === null ? {} : { TASKFLOW_STORE: address.record }),
    ...(address.namespace === null ? {} : { TASKFLOW_NAMESPACE: address.namespace }),
    TASKFLOW_TASKS: fileURLToPath(new URL('./tasks/', import.meta.url)),
    TASKFLOW_WORKER_LEASE: `${plan.leaseMs}ms`,
    TASKFLOW_WORKER_DRAIN: '3s',
    TASKFLOW_WORKER_CONCURRENCY: String(plan.slots),
    TORTURE_FOLDER: folder,
    TORTURE_PROCESS: String(number),
    NODE_OPTIONS:
      `${process.env.NODE_OPTIONS ?? ''} --max-old-space-size=${heapMb} --disable-warning=ExperimentalWarning`.trim(),
    ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
  });
  return (seat, number) => {
    if (seat.kind === 'worker') {
      const { TASKFLOW_STORE: record, ...rest } = env(number);
      // A worker needs no record: the first one has it all the same, and keeps it while there is no server.
      const own = record === undefined || seat.name === 'worker-1' ? env(number) : rest;
      return { argv: [command, 'worker', 'start', '--name', seat.name], env: own };
    }
    if (seat.kind === 'client') {
      const index = Number(seat.name.split('-')[1]) - 1;
      return { argv: [beside('./load'), JSON.stringify(loadOf(index, number))], env: env(number) };
    }
    const at = ['--port', String(seat.name === 'server-1' ? port : 0)];
    // A project has one `server start`; two servers are two `up`, each with a worker beside it.
    const argv = plan.servers === 1 ? ['server', 'start', ...at] : ['up', '--no-reload', ...at, '--name', seat.name];
    return { argv: [command, ...argv], env: env(number) };
  };

  function loadOf(index: number, number: number): LoadSettings {
    const client = plan.clients[index];
    if (client === undefined) throw new Error(`There is no client ${index}.`);
    const { isRemote, ...rest } = client;
    const url = isRemote ? `http://127.0.0.1:${port}` : null;
    return { ...rest, url, folder, number, ...address, leaseMs: plan.leaseMs };
  }
}
