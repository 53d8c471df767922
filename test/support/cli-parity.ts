/** Every command that a server can be asked, run straight on a store and through a server of a twin of that store. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/broker/connect.ts';
import { nouns } from '../../src/cli/catalog.ts';
import { runCli } from '../../src/cli/cli.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import { newSchedule } from '../../src/core/schedule.ts';
import { fatal, task } from '../../src/index.ts';
import { createWorker, type Worker } from '../../src/worker/worker.ts';
import { newTask, sampleId } from '../conformance/samples.ts';
import { scheduleDefinition } from './schedule-samples.ts';
import { waitFor } from './wait-for.ts';
import { startWorkerServer, type WorkerServer } from './worker-server.ts';

const double = task('double', { input: z.object({ n: z.number() }), run: async ({ n }) => ({ n: n * 2 }) });
const doomed = task('doomed', {
  input: z.object({ card: z.string().optional() }),
  redact: ['input.card'],
  run: async () => {
    throw fatal('no chance');
  },
});

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a store is, as a command is told: by its environment. Nothing is the SQLite file of its folder. */
export interface StorePlace {
  readonly broker: string;
  readonly store?: string;
  readonly namespace?: string;
}

/** A store with some work, and a server of it that is asked in the second of two. */
export interface World {
  readonly folder: string;
  readonly server: WorkerServer;
  readonly worker: Worker;
  /** Through the server when `through` says so. */
  run(words: readonly string[], through: boolean, env?: Record<string, string>): Promise<Ran>;
  /** Resolves when the record has all that happened so far. */
  recorded(): Promise<void>;
  close(): Promise<void>;
}

export type PlaceOf = (folder: string) => Promise<StorePlace> | StorePlace;

export async function createWorld(placeOf?: PlaceOf): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-cli-server-'));
  writeFileSync(join(folder, 'package.json'), '{}');
  const place = await placeOf?.(folder);
  const { broker = `sqlite:${join(folder, '.taskflow', 'taskflow.db')}`, ...options } = place ?? {};
  const store = connect(broker, options);
  const ofStore = Object.fromEntries(
    Object.entries(place ?? {}).map(([name, value]) => [`TASKFLOW_${name.toUpperCase()}`, value]),
  );
  const server = await startWorkerServer(store);
  const worker = createWorker({
    store,
    name: 'ada',
    definitions: [double[definitionBrand], doomed[definitionBrand]],
    queues: ['default'],
    concurrency: 10,
  });
  worker.start();
  const { now } = await store.broker.info();
  await store.broker.schedules.put([newSchedule('nightly', scheduleDefinition(), now)]);
  await store.broker.enqueue([
    newTask(sampleId(70), { flowId: sampleId(70), queue: 'flows' }),
    newTask(sampleId(71), {
      flowId: sampleId(70),
      queue: 'flows',
      dependsOn: [{ taskId: sampleId(70), onFailure: 'fail' }],
    }),
  ]);
  return {
    folder,
    server,
    worker,
    run: (words, through, env = { TASKFLOW_TOKEN: server.admin }) =>
      runIn(folder, through ? [...words, '--server', server.url] : words, { ...ofStore, ...env }),
    recorded: () => waitFor(async () => expect(await store.history.lagMs()).toBe(0)),
    async close() {
      await worker.stop({ drainMs: 0 });
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function runIn(folder: string, words: readonly string[], env: Record<string, string>): Promise<Ran> {
  const [out, notes]: [string[], string[]] = [[], []];
  const sink = (into: string[]) => ({ isTTY: false, columns: 100, write: (text: string) => void into.push(text) });
  const code = await runCli([...words], {
    stdout: sink(out),
    stderr: sink(notes),
    readStdin: async () => sampleId(3),
    env: { LANG: 'C.UTF-8', ...env },
    cwd: folder,
  });
  return { code, stdout: out.join(''), stderr: notes.join('') };
}

/** What each world has of its own: times, names of who asks, and ids that were made at random. */
function plain({ code, stdout, stderr }: Ran): Ran {
  const same = (text: string): string =>
    text
      .replaceAll(/tf_\w+/g, 'KEY')
      .replaceAll(/\b01[0-9A-HJKMNP-TV-Z]{14,24}\b/g, (id) => (id.startsWith('01K') && id.length < 26 ? id : 'ID'))
      .replaceAll(/\b[0-9a-f]{16,64}\b/g, 'HEX')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z?/g, 'TIME')
      .replaceAll(/("\w*Ms"|"loopLag\w*"|"pid"|"rss\w*"): ?[\d.]+/g, '$1: 0')
      .replaceAll(/\b[\d.]+ ?(ms|s|m|h)\b( ago)?/g, 'DURATION')
      .replaceAll(/cli:[\w.-]+|\bada\b/g, 'WHO')
      .replaceAll(/ after waiting DURATION|("stack": ").*(?=")/g, '$1')
      .replaceAll(/\t\d{2,}(?=\t)/g, '\tNUMBER');
  return { code, stdout: same(stdout), stderr: same(stderr) };
}

const [twice, failed, waiting, blocked] = [sampleId(1), sampleId(2), sampleId(3), sampleId(71)];

/** A line of each, in their order: each goes on from what those before it left. */
export const lines: readonly (readonly string[])[] = [
  ['run', 'double', '{"n":12}', '--id', twice],
  ['run', 'doomed', '{"card":"4111 1111"}', '--id', failed],
  ['run', 'double', '{"n":"no"}'],
  ['run', 'double', '{"n":1}', '--no-wait', '--delay', '1h', '--id', waiting],
  ['run', 'unheard.of', '--queue', 'email', '--timeout', '1ms', '--id', sampleId(4)],
  ['task', 'run', 'unheard.of', '--queue', 'email', '--id', sampleId(5), '--key', 'k'],
  ['task', 'run', 'unheard.of', '--queue', 'email', '--key', 'k'],
  ['task', 'list'],
  ['task', 'list', '--state', 'failed', '--limit', '1'],
  ['task', 'list', '--filter', 'nonsense:'],
  ['task', 'get', failed],
  ['task', 'get', twice.slice(0, 20)],
  ['task', 'get', twice, failed],
  ['task', 'get', sampleId(99)],
  ['task', 'reveal', failed],
  ['task', 'logs', twice],
  ['explain', waiting, blocked],
  ['task', 'update', waiting, '--priority', 'high', '--tag', 'a,b'],
  ['task', 'move', '-', '--to', 'other'],
  ['task', 'run-now', waiting],
  ['task', 'cancel', waiting, '--reason', 'enough'],
  ['task', 'cancel', waiting],
  ['task', 'retry', failed],
  ['run', 'double', '{"n":1}', '--id', sampleId(6)],
  ['task', 'remove', sampleId(6)],
  ['flow', 'list'],
  ['flow', 'get', sampleId(70)],
  ['flow', 'cancel', sampleId(70)],
  ['queue', 'list'],
  ['queue', 'get', 'email'],
  ['queue', 'peek', 'email'],
  ['queue', 'peek', 'email', '--limit', 'many'],
  ['queue', 'pause', 'email', '--reason', 'lunch'],
  ['queue', 'resume', 'email'],
  ['queue', 'limit', 'email', '--max', '2', '--rate', '5/1m'],
  ['queue', 'purge', 'email'],
  ['queue', 'purge', 'email', '--dry-run'],
  ['queue', 'purge', 'email', '--yes', '--delay', '1h'],
  ['queue', 'get', 'nobody'],
  ['operation', 'list'],
  ['operation', 'get', sampleId(99)],
  ['operation', 'stop', sampleId(99)],
  ['group', 'weight', 'acme', '3'],
  ['group', 'pause', 'acme'],
  ['group', 'resume', 'acme'],
  ['group', 'list'],
  ['limit', 'set', 'smtp', '--max', '3'],
  ['limit', 'pause', 'smtp'],
  ['limit', 'resume', 'smtp'],
  ['limit', 'list'],
  ['schedule', 'list'],
  ['schedule', 'get', 'nightly'],
  ['schedule', 'next', 'nightly', '--count', '2'],
  ['schedule', 'pause', 'nightly', '--reason', 'holidays'],
  ['schedule', 'resume', 'nightly'],
  ['schedule', 'run', 'nightly', '--at', '2026-11-20T00:00:00Z'],
  ['schedule', 'backfill', 'nightly', '--from', '2d', '--dry-run'],
  ['schedule', 'delete', 'nightly'],
  ['error', 'list'],
  ['error', 'get', 'abc'],
  ['error', 'retry', 'abc', '--yes'],
  ['error', 'mute', 'abc'],
  ['error', 'resolve', 'abc'],
  ['error', 'reopen', 'abc'],
  ['definition', 'list'],
  ['definition', 'get', 'double'],
  ['definition', 'get', 'nothing'],
  ['relay', 'list'],
  ['relay', 'retry', sampleId(99)],
  ['relay', 'drop', sampleId(99)],
  ['stats', 'timeline', '--name', 'nothing'],
  ['stats', 'depth', '--queue', 'nothing'],
  ['worker', 'list', '--fields', 'name,state,concurrency'],
  ['worker', 'get', 'nobody'],
  ['worker', 'drain', 'ada', '--fields', 'name,state'],
  ['worker', 'resume', 'ada', '--fields', 'name,state'],
  ['worker', 'scale', 'ada', '--concurrency', '5', '--fields', 'concurrency'],
  ['worker', 'stack', 'ada', '--fields', 'name'],
  ['worker', 'restart', 'nobody'],
  ['token', 'create', 'shop', '--scopes', 'read,enqueue', '--queues', 'email'],
  ['token', 'create', 'shop', '--role', 'emperor'],
  ['token', 'list', '--limit', '1', '--fields', 'label,scopes,queues'],
  ['token', 'revoke', sampleId(99)],
  ['audit', 'list', '--operation', 'queue.pause', '--fields', 'operation,outcome,text'],
];

/**
 * Declares that each says the same at a store of such a place and through a server of another one, with the same exit code. The memory of a
 * process is no such place: a command would open an empty one of its own.
 */
export function declareParity(placeOf?: PlaceOf): void {
  let [atStore, behindServer]: [World, World] = [] as unknown as [World, World];
  beforeAll(async () => {
    [atStore, behindServer] = [await createWorld(placeOf), await createWorld(placeOf)];
  });
  afterAll(async () => {
    for (const world of [atStore, behindServer]) await world.close();
  });

  test.each(lines.map((words) => [words.join(' '), words] as const))('%s', async (_line, words) => {
    // What only reads is asked of the same store, in words for people too.
    const isRead = words[0] === 'explain' || ['list', 'get', 'peek', 'next', 'logs', 'reveal'].includes(words[1] ?? '');
    for (const format of isRead ? [['--json'], []] : [['--json']]) {
      await Promise.all([atStore.recorded(), behindServer.recorded()]);
      const at = plain(await (isRead ? behindServer : atStore).run([...words, ...format], false));
      expect(at.stdout + at.stderr).not.toBe('');
      expect(plain(await behindServer.run([...words, ...format], true))).toEqual(at);
    }
  });

  test('also of what has an id of its own', async () => {
    const idOf = async (world: World, words: readonly string[]) =>
      (await world.run([...words, '-o', 'id'], false)).stdout.split('\n')[0] ?? '';
    const says = async (list: readonly string[], ...words: readonly string[]) => {
      const ids = await Promise.all([atStore, behindServer].map((world) => idOf(world, list)));
      expect(ids).not.toContain('');
      const at = plain(await atStore.run([...words, ids[0] ?? '', '--json'], false));
      expect(plain(await behindServer.run([...words, ids[1] ?? '', '--json'], true))).toEqual(at);
      expect([words, at.code]).toEqual([words, 0]);
    };
    const errors = ['error', 'list'];
    await says(errors, 'error', 'get');
    await says(errors, 'error', 'mute', '--for', '2d', '--reason', 'known');
    await says(errors, 'error', 'resolve');
    await says(errors, 'error', 'reopen');
    await says(errors, 'error', 'retry', '--yes', '--delay', '1h');
    await says(['operation', 'list'], 'operation', 'get');
    await says(['operation', 'list'], 'operation', 'stop');
    await says(['token', 'list'], 'token', 'revoke');
    const words = async (noun: string) =>
      (await behindServer.run([noun, 'get', await idOf(behindServer, [noun, 'list'])], true)).stdout;
    expect(await words('error')).toMatch(/^error\t\w+\ntask\tdoomed\nmessage\tFatal: no chance\nstate\topen\n/);
    expect(await words('operation')).toMatch(/^operation\t\w+\ndoes\t\w+\nstate\t\w+\ndone\t0\/\d+\n/);
  });

  test('and none has made a store beside that', () => {
    const made = [atStore, behindServer].map(({ folder }) => existsSync(join(folder, '.taskflow', 'taskflow.db')));
    expect(made).toEqual(placeOf === undefined ? [true, true] : [false, false]);
  });
}

/** Commands that a server can be asked and that are no line of these. */
export async function leftOut(): Promise<readonly string[]> {
  const asked = new Set(lines.map(([noun, verb = '']) => `${noun} ${verb}`));
  const others = ['worker start', 'config list', 'config get', 'server status'];
  const left: string[] = [];
  for (const noun of nouns) {
    for (const { name, isLocal = false } of (await noun.load()).commands) {
      const words = `${noun.name} ${name}`;
      if (isLocal || others.includes(words)) continue;
      if (noun.alone ? !lines.some(([first]) => first === noun.name) : !asked.has(words)) left.push(words);
    }
  }
  return left;
}
