/** A store in which every operation finds something to answer: tasks in every state, a flow, schedules, settings, a worker that obeys. */

import type { Broker } from '../../src/broker/broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Definition, Presence } from '../../src/core/presence.ts';
import type { Relay } from '../../src/core/relay.ts';
import { newSchedule } from '../../src/core/schedule.ts';
import type { NewTask } from '../../src/core/task.ts';
import type { Clock } from '../../src/core/time.ts';
import type { Recording } from '../../src/history/recording.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext } from '../../src/operations/operation.ts';
import { turn } from '../../src/testing/manual-clock.ts';
import { openTestStore } from '../../src/testing/stores.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  presence,
  sampleError,
  sampleId,
  settlement,
  wait,
} from '../conformance/samples.ts';
import { scheduleDefinition } from './schedule-samples.ts';

export interface OperationWorld {
  readonly context: OperationContext;
  readonly broker: Broker;
  /** Ids of tasks, by what became of each. */
  readonly tasks: {
    readonly succeeded: string;
    readonly failed: string;
    readonly retrying: string;
    readonly running: string;
    readonly blocked: string;
    readonly scheduled: string;
    readonly queued: string;
    readonly flow: string;
  };
  /** One more task that waits. Answers its id. */
  enqueue(given?: Partial<NewTask>): Promise<string>;
  close(): Promise<void>;
}

const tasks = {
  succeeded: sampleId(1),
  failed: sampleId(2),
  retrying: sampleId(3),
  running: sampleId(4),
  blocked: sampleId(5),
  scheduled: sampleId(6),
  queued: sampleId(7),
  flow: sampleId(8),
};

export interface OperationWorldOptions {
  /** Of every task and of the tasks of schedules. */
  readonly task?: Pick<Partial<NewTask>, 'payload' | 'policy'>;
  /** Said by handlers: in an error, a log line, the note of a progress. */
  readonly said?: string;
  readonly redact?: readonly string[];
}

export async function createOperationWorld(options: OperationWorldOptions = {}): Promise<OperationWorld> {
  const clock = hastyClock();
  const chance = seededChance(11);
  const store = await openTestStore('memory', clock.now, chance);
  const { broker } = store;
  await obey(broker);
  await fill(broker, options);
  const context = createContext({
    store: { ...store, relay, recording },
    settings: [{ key: 'server.port', value: 8000, origin: 'default' }],
    actor: { name: 'ada', role: 'admin' },
    clock,
    chance,
    redact: options.redact ?? [],
  });
  return {
    context,
    broker,
    tasks,
    async enqueue(given = {}) {
      const taskId = context.ids.next();
      await broker.enqueue([newTask(taskId, given)]);
      return taskId;
    },
    close: () => store.close(),
  };
}

/** Whoever waits on it finds that the time has passed: operations that wait for a worker's word do so without delay. */
function hastyClock(): Clock {
  let elapsed = 0;
  return {
    now: () => Date.UTC(2026, 10, 23, 9) + elapsed,
    elapsed: () => elapsed,
    schedule(delayMs, callback) {
      let isWanted = true;
      void turn().then(() => {
        if (!isWanted) return;
        elapsed += delayMs;
        callback();
      });
      return () => {
        isWanted = false;
      };
    },
  };
}

const definition: Definition = {
  name: 'mail.send',
  description: 'Sends one mail',
  queue: 'mail',
  inputSchema: null,
  schemaVersion: 'v1',
  policy: '{"attempts":3}',
  timeoutMs: 60_000,
  key: null,
  keyForMs: null,
  ifExists: 'return',
  group: null,
  limits: [{ key: null, max: 5, rate: { count: 5, perMs: 1_000 } }],
  file: 'tasks/mail.ts',
};

const worker: Presence = presence({
  queues: { default: 10, mail: 2 },
  concurrency: 12,
  running: 1,
  loopLagMs: 3,
  blocked: { forMs: 1_200, handlers: ['mail.send'], at: 'send (mail.ts:3:1)' },
  stall: { forMs: 9_000, waiting: 3, agoMs: 100 },
  definitions: [definition],
});

/** Confirms whatever it is told with its next heartbeat, but `restart`, which it leaves unheard. */
async function obey(broker: Broker): Promise<void> {
  const say = async (heard: number): Promise<void> => {
    const stack = {
      answers: heard,
      slots: [{ taskId: tasks.running, name: 'mail.send', ranMs: 5, doing: 'step render' }],
      loop: { blockedMs: 40, frames: ['send (mail.ts:3:1)'] },
    };
    const { commands } = await broker.heartbeat({ ...heartbeatRequest([], { worker, heard }), stack });
    const last = commands.at(-1);
    if (last !== undefined && last.command.kind !== 'restart') await say(last.id);
  };
  await say(0);
  broker.subscribe((signal) => signal.kind === 'command' && void say(0));
}

async function fill(broker: Broker, { said, task = {} }: OperationWorldOptions): Promise<void> {
  const sample = (id: string, given: Partial<NewTask> = {}) => newTask(id, { ...task, ...given });
  const ended = (number: number, given: Partial<NewTask> = {}) => sample(sampleId(number), { queue: 'mail', ...given });
  const failure = said === undefined ? {} : { error: { ...sampleError, message: said, stack: `at ${said}` } };
  const rule = { name: 'smtp', max: 50, rate: { count: 100, perMs: 1_000 } };
  await broker.enqueue([
    ended(1, { key: 'welcome:ada', tags: ['first'], group: 'acme', limits: [rule] }),
    ended(2),
    ended(3),
    ended(4, { limits: [rule] }),
  ]);
  const claimed = await broker.claim(claimRequest('a'.repeat(32), { queues: [{ name: 'mail', limit: 10 }] }));
  const leaseOf = (taskId: string) => claimed.find(({ task }) => task.id === taskId)?.lease ?? 'missing';
  const logs = [
    { at: Date.UTC(2026, 10, 23), level: 'info', message: said ?? 'sent', fields: '{"to":"ada"}' },
  ] as const;
  const steps = [{ name: 'render', value: '{"html":12345678901234567890}' }];
  const running = claimed.flatMap(({ lease }) =>
    beat(lease, { ranMs: 5, progress: { done: 1, total: 2, note: said ?? 'half' }, checkpoints: steps }),
  );
  await broker.heartbeat(heartbeatRequest(running, { worker }));
  await broker.settle([
    settlement(tasks.succeeded, leaseOf(tasks.succeeded), finish('succeeded'), { logs }),
    settlement(tasks.failed, leaseOf(tasks.failed), finish('failed', failure)),
    settlement(tasks.retrying, leaseOf(tasks.retrying), wait('scheduled', failure)),
  ]);
  await broker.enqueue([
    sample(tasks.blocked, { dependsOn: [{ taskId: tasks.running, onFailure: 'fail' }] }),
    sample(tasks.scheduled, { delayMs: 60_000, firedBy: { schedule: 'nightly', at: 0, input: 'stored' } }),
    sample(tasks.queued, { startWithinMs: 60_000, expiresInMs: 120_000 }),
    sample(tasks.flow, { flowId: tasks.flow }),
    sample(sampleId(9), { flowId: tasks.flow, dependsOn: [{ taskId: sampleId(10), onFailure: 'cancel' }] }),
    sample(sampleId(10), { flowId: tasks.flow }),
  ]);
  const pause = { by: 'ada', reason: 'maintenance' };
  await broker.configure('queue', 'mail', { pause, max: 5, rate: { count: 10, perMs: 1_000 } });
  await broker.configure('group', 'acme', { weight: 3, pause });
  await broker.configure('limit', 'smtp', { max: 20, rate: { count: 5, perMs: 1_000 }, pause });
  await putSchedules(broker, task);
}

async function putSchedules(broker: Broker, task: OperationWorldOptions['task']): Promise<void> {
  const { now } = await broker.info();
  const nightly = scheduleDefinition({
    task: { ...scheduleDefinition().task, ...task },
    timing: { cron: '30 2 * * *', timezone: 'Europe/Berlin' },
    catchUp: { kind: 'all', max: 3, withinMs: 3_600_000 },
  });
  await broker.schedules.put([
    newSchedule('nightly', nightly, now),
    newSchedule('often', scheduleDefinition({ input: 'made' }), now - 3_600_000),
  ]);
  await broker.schedules.pause(['often'], { by: 'ada', reason: null });
}

const aside = { taskId: sampleId(90), name: 'mail.send', at: Date.UTC(2026, 10, 23), problem: 'its key is held' };

const relay = {
  status: async () => ({ waiting: 3, setAside: 1, lagMs: 70 }),
  setAside: async () => [aside, { ...aside, name: null }],
  retry: async () => [{ outcome: 'pushed' }],
  drop: async () => [true],
} as unknown as Relay;

const recording = {
  losses: async () => ({
    gap: { from: null, to: Date.UTC(2026, 10, 23), restored: 4 },
    unrecorded: [{ taskId: sampleId(91), seq: 1, at: Date.UTC(2026, 10, 23), problem: 'a row is too wide' }],
  }),
  durability: () => ({ durability: 'strict', detail: 'fsync=on' }),
} as unknown as Recording;
