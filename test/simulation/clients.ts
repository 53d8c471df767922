/** Those who use the store from outside: producers that repeat what was not answered, and people who interfere. */

import type { Broker } from '../../src/broker/broker.ts';
import type { ClientEntry } from '../../src/checker/evidence.ts';
import type { Chance } from '../../src/core/chance.ts';
import type { WorkerCommand } from '../../src/core/commands.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { createIds } from '../../src/core/ids.ts';
import type { NewTask, TaskPatch } from '../../src/core/task.ts';
import { sleep } from '../../src/core/time.ts';
import type { Behaviour, Family, SimPayload } from './handlers.ts';
import { drawLimits, drawRequest, groupNames, limitNames, queueNames } from './requests.ts';
import type { SimProcess } from './sim-process.ts';
import { between, pick, type Swarm, whole } from './swarm.ts';

export interface ClientOptions {
  readonly process: SimProcess;
  readonly broker: Broker;
  readonly swarm: Swarm;
  /** The store's wall clock, which only an absolute time of a request looks at. */
  readonly storeNow: () => number;
  readonly nextNumber: () => number;
  readonly note: (entry: Omit<ClientEntry, 'at' | 'pid'>) => void;
  /** Ids that somebody has asked for. */
  readonly known: string[];
  /** Whether the world is healed: then clients go home. */
  readonly isOver: () => boolean;
  /** Changes a task before it is sent once more; only planted bugs do. */
  readonly beforeRepeat?: (task: NewTask, nextId: () => string) => NewTask;
}

const repeatsMax = 8;
const onFailures = ['fail', 'cancel', 'ignore'] as const;

/** Enqueues its share of the tasks, spread over the time there is. */
export async function produce(options: ClientOptions, share: number): Promise<void> {
  const { process, swarm, storeNow } = options;
  const { clock, chance } = process;
  const ids = createIds(clock, chance);
  for (let left = share, isLast = false; left > 0 && !isLast; ) {
    for (
      let rest = between(chance, 0, (2 * swarm.safetyMs * 0.8) / share);
      rest > 0 && !options.isOver();
      rest -= 1_000
    )
      await sleep(clock, Math.min(rest, 1_000));
    // One call comes after the faults, so that something happens in every world: a plain one, that nothing may refuse.
    isLast = options.isOver();
    const joins = (share: number): boolean => !isLast && share > 0 && chance.float() < share;
    const count = Math.min(left, chance.float() < 0.2 ? 4 : 1);
    left -= count;
    const tasks = Array.from({ length: count }, () =>
      drawRequest(chance, swarm, ids.next(), options.nextNumber(), storeNow()),
    );
    // Two of one call with one key say nothing that two calls would not, and hide from each other who held it.
    const taken = new Set<string>();
    await enqueue(
      options,
      tasks
        .filter(({ key }) => key === null || (!taken.has(key) && taken.add(key)))
        .map((task) => (joins(swarm.chained) ? waiting(options, task) : task))
        .map((task) => (joins(swarm.families) ? related(options, task) : task)),
      ids.next,
    );
  }
}

/** Lets a task wait for up to three of those that were asked for before, stored or not. */
function waiting({ known, process: { chance } }: ClientOptions, task: NewTask): NewTask {
  const near = known.slice(-12);
  if (near.length === 0) return task;
  const parents = new Set(Array.from({ length: whole(chance, 1, 3) }, () => pick(chance, near)));
  const dependsOn = [...parents].map((taskId) => ({ taskId, onFailure: pick(chance, onFailures) }));
  // Who gives way to the holder of a key waits for nobody.
  return { ...task, dependsOn, key: null, keyForMs: null, ifExists: 'return' };
}

/** Makes a task part of a flow, a parent of its own members, or one that others wait for from now on. */
function related({ known, process: { chance } }: ClientOptions, task: NewTask): NewTask {
  const near = known.slice(-12);
  const someone = (): string => (near.length === 0 ? task.id : pick(chance, near));
  const isHead = chance.float() < 0.5;
  const flowId = chance.float() < 0.2 ? null : isHead ? task.id : someone();
  const blocks =
    chance.float() < 0.2 && near.length > 0 && task.key === null
      ? [{ taskId: someone(), onFailure: pick(chance, onFailures) }]
      : [];
  const family = chance.float() < 0.7 ? { family: drawFamily(chance, someone) } : {};
  const payload = JSON.stringify({ ...(JSON.parse(task.payload) as SimPayload), ...family });
  return { ...task, flowId, blocks, payload };
}

const doings: readonly Behaviour['does'][] = ['ok', 'ok', 'ok', 'throw', 'fatal', 'progress', 'snooze'];

function drawFamily(chance: Chance, someone: () => string): Family {
  return {
    members: Array.from({ length: whole(chance, 1, 3) }, () => ({
      does: pick(chance, doings),
      ms: whole(chance, 0, 2_000),
    })),
    holds: chance.float() < 0.5,
    blocks: chance.float() < 0.3 ? [someone()] : [],
  };
}

async function enqueue(options: ClientOptions, first: readonly NewTask[], nextId: () => string): Promise<void> {
  const { process, broker, known } = options;
  let tasks = first;
  const note = (task: NewTask, step: ClientEntry['step'], code?: string): void =>
    options.note({
      step,
      taskId: task.id,
      n: (JSON.parse(task.payload) as SimPayload).n,
      ...(step === 'invoke' ? { asked: task } : {}),
      ...(code === undefined ? {} : { code }),
    });
  for (let repeat = 0; repeat < repeatsMax; repeat++) {
    if (repeat > 0 && options.beforeRepeat !== undefined) {
      const change = options.beforeRepeat;
      tasks = tasks.map((task) => change(task, nextId));
    }
    for (const task of tasks) note(task, 'invoke');
    if (repeat === 0) known.push(...tasks.map(({ id }) => id));
    try {
      const results = await broker.enqueue(tasks);
      for (const [index, { outcome }] of results.entries()) {
        const isRefused = outcome === 'duplicate' || outcome === 'conflict';
        note(tasks[index]!, isRefused ? 'fail' : 'ok', outcome);
      }
      return;
    } catch (error) {
      const code = error instanceof TaskFlowError ? error.code : String(error);
      for (const task of tasks) note(task, 'info', code);
      await sleep(process.clock, between(process.chance, 10, 2_000));
    }
  }
}

/** Cancels, retries, updates and removes tasks, pauses and resumes queues, drains and scales workers. */
export async function interfere(options: ClientOptions): Promise<void> {
  const { process, swarm, known } = options;
  const { clock, chance } = process;
  for (let actions = whole(chance, 5, 40); actions > 0 && !options.isOver(); actions--) {
    await sleep(clock, between(chance, 0, swarm.safetyMs / 12));
    if (options.isOver()) return;
    // Mostly those that may still run.
    const near = chance.float() < 0.7 ? known.slice(-8) : known;
    const ids = near.length === 0 ? [] : Array.from({ length: whole(chance, 1, 3) }, () => pick(chance, near));
    try {
      await act(options, [...new Set(ids)]);
    } catch {
      // A person sees the error and goes on; what the call did, the events tell.
    }
  }
}

function act(options: ClientOptions, ids: readonly string[]): Promise<unknown> {
  const { broker, swarm, known } = options;
  const { chance } = options.process;
  const taskIds = [...ids];
  if (swarm.families > 0 && known.length > 0 && chance.float() < 0.2)
    return broker.cancel({ taskIds: [], flowId: pick(chance, known.slice(-16)), reason: 'the whole flow' });
  switch (whole(chance, 0, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return broker.cancel({ taskIds, reason: 'somebody wished it' });
    case 4:
      return broker.retry(taskIds);
    case 5:
    case 6:
    case 7:
      return configure(broker, chance);
    case 8:
      return broker.remove(taskIds);
    case 9:
    case 10:
    case 11:
      return tellWorkers(options);
    default:
      return broker.update(taskIds.map((taskId) => ({ taskId, version: null, patch: drawPatch(chance) })));
  }
}

function drawPatch(chance: Chance): TaskPatch {
  const delayMs = whole(chance, 0, 10_000);
  const limits = drawLimits(chance);
  return pick(chance, [
    { delayMs: 0 },
    { delayMs },
    { priority: 0 },
    { queue: pick(chance, queueNames) },
    { tags: ['seen'] },
    { limits },
  ]);
}

/** Pauses and resumes as often, and sets limits that still let something through. */
function configure(broker: Broker, chance: Chance): Promise<void> {
  const pause = chance.float() < 0.5 ? { by: 'somebody', reason: null } : null;
  const max = chance.float() < 0.5 ? whole(chance, 1, 4) : null;
  const rate = chance.float() < 0.5 ? { count: whole(chance, 1, 5), perMs: 1_000 } : null;
  const queue = pick(chance, queueNames);
  const limit = pick(chance, limitNames);
  switch (whole(chance, 0, 7)) {
    case 0:
    case 1:
    case 2:
      return broker.configure('queue', queue, { pause });
    case 3:
      return broker.configure('queue', queue, chance.float() < 0.5 ? { max } : { rate });
    case 4:
      return broker.configure('group', pick(chance, groupNames), { pause });
    case 5:
      return broker.configure('group', pick(chance, groupNames), { weight: whole(chance, 1, 9) });
    case 6:
      return broker.configure('limit', limit, { pause });
    default:
      return broker.configure('limit', limit, chance.float() < 0.5 ? { max } : { rate });
  }
}

/** Often one that is gone by now, and a drain more often than its end: then only the healed world has somebody to work. */
async function tellWorkers({ broker, process: { chance }, isOver }: ClientOptions): Promise<unknown> {
  const workers = (await broker.getWorkers()).filter(({ server }) => !server);
  // Whoever was found after the healing is the one who has to work.
  if (workers.length === 0 || isOver()) return [];
  const workerIds = Array.from({ length: whole(chance, 1, 2) }, () => pick(chance, workers).workerId);
  const commands: readonly WorkerCommand[] = [
    { kind: 'drain' },
    { kind: 'drain' },
    { kind: 'resume' },
    { kind: 'stack' },
    { kind: 'scale', concurrency: whole(chance, 1, 8) },
  ];
  return broker.control(workerIds, pick(chance, commands));
}
