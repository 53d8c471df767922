/** The child of `up`: loads the tasks, says what it found, and works from the parent's word until its word or its end. */

import { registerHooks } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { limits } from '../core/limits.ts';
import { sleep, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { isOfHandler } from '../worker/strays.ts';
import { restartExitCode } from './anew.ts';
import type { Call } from './command.ts';
import { packageVersion } from './commands/version.ts';
import { composeWorker, shareStore } from './compose.ts';
import { showError, uncaught } from './problem.ts';
import { loadAllTasks, storeSchedules } from './process.ts';
import { withLog } from './process-log.ts';
import { showRuns } from './process-words.ts';
import { createSession, openConfiguredStore } from './session.ts';
import { type ChildNews, type ChildOrder, workerVariable } from './worker-process.ts';

/** Resolves to the exit code: 0 when it was told to stop, 75 when it was told to restart, 1 after an uncaught error. */
export async function runUpWorker(given: Call): Promise<number> {
  const orders = listen();
  const { call } = await withLog(given);
  const imported = noteImports();
  const config = await call.config();
  const store = await openConfiguredStore(call, config);
  try {
    await createSession(config, store);
    shareStore(store, process.env[workerVariable] ?? null);
    // What a handler starts, another `up` for one, is not this worker.
    delete process.env[workerVariable];
    const tasks = await loadAllTasks(call);
    const { worker, ...shown } = composeWorker({ config, store, tasks, version: packageVersion(), services: 'auto' });
    say({
      kind: 'loaded',
      workerId: worker.id,
      worker: shown.name,
      queues: shown.queues,
      isShared: shown.isShared,
      files: tasks.files,
      failures: tasks.failures.length,
      imported: imported(),
    });
    if ((await orders.next('begin', 'leave', 'stop')).kind !== 'begin') return 0;
    await storeSchedules(call, store, tasks);
    const lines = showRuns(call, store, { worker, ...shown });
    const restart = Promise.withResolvers<null>();
    worker.on('command', ({ command }) => command.kind === 'restart' && restart.resolve(null));
    worker.start();
    await untilKnown(store, worker.id);
    say({ kind: 'begun' });
    const order = await Promise.race([orders.next('stop'), restart.promise, untilBroken(call)]);
    if (order === null) say({ kind: 'restart' });
    const drainMs = order === null || order.kind !== 'stop' ? null : order.drainMs;
    await worker.stop(drainMs === null ? {} : { drainMs });
    lines.close();
    return order === null ? restartExitCode : order.kind === 'broken' ? 1 : 0;
  } finally {
    await store.close();
  }
}

interface Orders {
  /** The first order of one of these kinds, also of those that came before. */
  next<Kind extends ChildOrder['kind']>(...kinds: readonly Kind[]): Promise<Extract<ChildOrder, { kind: Kind }>>;
}

/** Without its parent it stops in order: nobody would show what it does, nor stop it. A Ctrl-C is the parent's to hear. */
function listen(): Orders {
  const came: ChildOrder[] = [];
  let wake = (): void => undefined;
  const take = (order: ChildOrder): void => {
    came.push(order);
    wake();
  };
  process.on('message', (order: ChildOrder) => take(order));
  process.on('disconnect', () => take({ kind: 'stop', drainMs: null }));
  process.on('SIGTERM', () => take({ kind: 'stop', drainMs: null }));
  process.on('SIGINT', () => undefined);
  return {
    async next(...kinds) {
      for (;;) {
        const found = came.find(({ kind }) => (kinds as readonly string[]).includes(kind));
        if (found !== undefined) return found as never;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

function say(news: ChildNews): void {
  process.send?.(news, undefined, undefined, () => undefined);
}

/** The first beat is sent at once; whoever enqueues by name from then on is answered with what this worker knows. */
async function untilKnown(store: Store, workerId: string): Promise<void> {
  const until = systemClock.elapsed() + limits.confirmMs;
  while (systemClock.elapsed() < until) {
    const workers = await store.broker.getWorkers().catch(() => []);
    if (workers.some((worker) => worker.workerId === workerId)) return;
    await sleep(systemClock, limits.confirmLookMs);
  }
}

function untilBroken(call: Call): Promise<{ readonly kind: 'broken' }> {
  return new Promise((resolve) => {
    const onCrash = (error: unknown): void => {
      // Its run fails for it; the runs beside it go on.
      if (isOfHandler()) return;
      showError(call.stderr, call.output.notes, call.output.format, uncaught(error), true);
      resolve({ kind: 'broken' });
    };
    process.on('uncaughtException', onCrash);
    process.on('unhandledRejection', onCrash);
  });
}

/** Notes what is imported from now on, without packages. */
function noteImports(): () => readonly string[] {
  const urls = new Set<string>();
  const own = new URL('..', import.meta.url).href;
  registerHooks({
    load(url, context, next) {
      if (url.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(own)) urls.add(url);
      return next(url, context);
    },
  });
  return () => [...urls].map((url) => fileURLToPath(url.replace(/[?#].*$/, '')));
}
