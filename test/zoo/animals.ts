/** Handlers that do what no handler should, each once for a run in the worker and once for a process of its own. */

import { spawn } from 'node:child_process';
import type { TaskDefinition } from '../../src/core/definition.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import { createDefinition, type Handler } from '../support/worker-rig.ts';

const never = (): Promise<never> => new Promise(() => {});
const later = (ms: number, act: () => void): void => void setTimeout(act, ms);

function cyclic(): Error {
  const error = new Error('round');
  error.cause = error;
  return error;
}

/** Those that any worker survives. */
export const tame: Readonly<Record<string, Handler>> = {
  string: () => {
    throw 'text';
  },
  null: () => {
    throw null;
  },
  undefined: () => Promise.reject(undefined),
  number: () => {
    throw 42;
  },
  cyclic: () => {
    throw cyclic();
  },
  getters: () => {
    throw Object.defineProperties(new Error(), {
      message: {
        get() {
          throw new Error('no message');
        },
      },
      stack: {
        get() {
          throw new Error('no stack');
        },
      },
    });
  },
  proxy: () => {
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    throw proxy;
  },
  hugeMessage: () => {
    throw new Error('m'.repeat(100 * 2 ** 20));
  },
  hugeStack: () => {
    throw Object.assign(new Error('huge'), { stack: `Error: huge\n${'    at f (file.ts:1:1)\n'.repeat(4 * 2 ** 20)}` });
  },
  hugeResult: () => 'x'.repeat(2 ** 20),
  bigint: () => 10n,
  cyclicResult: () => {
    const result: Record<string, unknown> = {};
    result.self = result;
    return result;
  },
  rejectsTwice: () =>
    new Promise((_, reject) => {
      reject(new Error('first'));
      reject(new Error('second'));
    }),
  rejectsAside: async () => {
    void Promise.reject(new Error('aside'));
    await new Promise((resolve) => later(50, () => resolve(null)));
    return 'fine';
  },
  rejectsAfter: () => {
    later(30, () => void Promise.reject(new Error('afterwards')));
    return 'fine';
  },
  throwsInTimer: () => {
    later(10, () => {
      throw new Error('in a timer');
    });
    return never();
  },
  throwsAfter: () => {
    later(30, () => {
      throw new Error('afterwards');
    });
    return 'fine';
  },
  emitsError: () => {
    void import('node:fs').then(({ createReadStream }) => createReadStream('nowhere'));
    return never();
  },
  exit: () => process.exit(3),
  exitAside: () => {
    later(10, () => process.exit(0));
    return never();
  },
  exitAfter: () => {
    later(30, () => process.exit(4));
    return 'fine';
  },
  ignoresAbort: () => never(),
  fine: () => 'fine',
};

/** Those that only a process of its own can hold. */
export const wild: Readonly<Record<string, Handler>> = {
  abort: () => process.abort(),
  killsItself: () => {
    process.kill(process.pid, 'SIGKILL');
    return never();
  },
  loops: () => {
    for (;;);
  },
  heapBomb: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1_000 }, (_, index) => ({ index })));
  },
  bufferBomb: async () => {
    const kept: Buffer[] = [];
    for (;;) {
      kept.push(Buffer.alloc(16 * 2 ** 20, 1));
      await new Promise((resolve) => later(5, () => resolve(null)));
    }
  },
  shouts: () => {
    const line = `${'x'.repeat(1_023)}\n`.repeat(1_024);
    for (let n = 0; n < 100; n++) process.stdout.write(line);
    process.stderr.write('without an end');
    return 'hoarse';
  },
  speaks: (_, context) => {
    console.log('to stdout');
    console.error('to stderr');
    context.log.info('to the log', { n: 1 });
    context.progress(1, 2, 'half');
    return { pid: process.pid, ppid: process.ppid, secret: process.env.ZOO_SECRET ?? null };
  },
  hasChildren: () => {
    spawn('sleep', ['300'], { stdio: 'inherit' });
    return never();
  },
  talksToParent: () => {
    process.send?.(null as unknown as object);
    process.send?.({ kind: 'ended', run: -1 });
    return 'fine';
  },
  stepsThenDies: async (_, context) => {
    const pid = await context.step('first', () => process.pid);
    if (context.fencingToken === 1) process.exit(9);
    return { first: pid, now: process.pid };
  },
};

const apart = (name: string, run: Handler, memoryMb: number): TaskDefinition => ({
  ...createDefinition(`apart.${name}`, run),
  isolate: 'process',
  memoryMb,
});

const definitions = [
  ...Object.entries(tame).map(([name, run]) => createDefinition(`here.${name}`, run)),
  ...Object.entries(tame).map(([name, run]) => apart(name, run, 512)),
  ...Object.entries(wild).map(([name, run]) => apart(name, run, 96)),
];

/** As a task file exports them. */
export const tasks = Object.fromEntries(
  definitions.map((definition) => [definition.name, { [definitionBrand]: definition }]),
);
export default definitions;
