/** What the Redis adapter does not do yet. Each line goes when it is built; then its cases come by themselves. */

import type { CancelRequest, Settings } from '../../src/broker/broker.ts';
import type { NewTask, Settlement } from '../../src/core/task.ts';
import type { Lack } from './lack.ts';
import { claimRequest, finish, heartbeatRequest, newTask, sampleId, sampleToken, settlement, wait } from './samples.ts';

const nextStep = 'the adapter begins with single tasks: this comes with the whole of it';

/** A method that is missing altogether. */
function method(name: string, ask: Lack['ask'], what = name): Lack {
  return { what, why: nextStep, isAsked: (called) => called === name, ask };
}

/** A field of a task that is missing. */
function field(what: 'group' | 'dependsOn' | 'blocks', why: string, given: Partial<NewTask>): Lack {
  const isGiven = (task: Partial<NewTask>): boolean => {
    const value = task[what] ?? null;
    return value !== null && !(Array.isArray(value) && value.length === 0);
  };
  return {
    what,
    why,
    isAsked: (called, [tasks]) =>
      (called === 'enqueue' || called === 'restore') && (tasks as readonly NewTask[]).some(isGiven),
    ask: (broker) => broker.enqueue([newTask(sampleId(1), given)]),
  };
}

function hasAny(settings: unknown, ...names: (keyof Settings)[]): boolean {
  return names.some((name) => (settings as Settings)[name] !== undefined);
}

const lease = { taskId: sampleId(1), token: sampleToken(1), epoch: 1 };
const parent = { taskId: sampleId(2), onFailure: 'fail' } as const;

export const redisLacks: readonly Lack[] = [
  {
    what: 'settings of a group',
    why: nextStep,
    isAsked: (called, [scope]) => called === 'configure' && scope === 'group',
    ask: (broker) => broker.configure('group', 'g', { weight: 2 }),
  },
  {
    what: 'a limit of a whole queue',
    why: nextStep,
    isAsked: (called, [scope, , settings]) =>
      called === 'configure' && scope === 'queue' && hasAny(settings, 'max', 'rate'),
    ask: (broker) => broker.configure('queue', 'q', { max: 1 }),
  },
  {
    what: 'the pause of a limit',
    why: nextStep,
    isAsked: (called, [scope, , settings]) => called === 'configure' && scope === 'limit' && hasAny(settings, 'pause'),
    ask: (broker) => broker.configure('limit', 'l', { pause: null }),
  },
  {
    what: 'cancel of a flow',
    why: nextStep,
    isAsked: (called, [request]) => called === 'cancel' && ((request as CancelRequest).flowId ?? null) !== null,
    ask: (broker) => broker.cancel({ taskIds: [], flowId: sampleId(1), reason: null }),
  },
  method('getLimits', (broker) => broker.getLimits(null, 1)),
  method('inspect', (broker) => broker.inspect([])),
  method('control', (broker) => broker.control([], { kind: 'drain' }), 'control of workers'),
  {
    what: 'control of workers',
    why: nextStep,
    isAsked: (called, [request]) => called === 'heartbeat' && (request as { stack?: unknown }).stack !== undefined,
    ask: (broker) => broker.heartbeat(heartbeatRequest([], { stack: { answers: 1, slots: [], loop: null } })),
  },
  {
    what: 'schedules',
    why: nextStep,
    isAsked: (called) => ['put', 'delete', 'pause', 'fire', 'due', 'get'].includes(called),
    ask: (broker) => broker.schedules.get([]),
  },
  field('group', nextStep, { group: 'g' }),
  field('dependsOn', nextStep, { dependsOn: [parent] }),
  field('blocks', nextStep, { blocks: [parent] }),
  {
    what: 'a verdict to blocked',
    why: 'it waits for what was spawned',
    isAsked: (called, [settlements]) =>
      called === 'settle' && (settlements as readonly Settlement[]).some(({ verdict }) => verdict.to === 'blocked'),
    ask: (broker) => broker.settle([settlement(lease.taskId, lease, wait('blocked'))]),
  },
  {
    what: 'spawn',
    why: nextStep,
    isAsked: (called, [settlements]) =>
      called === 'settle' && (settlements as readonly Settlement[]).some(({ spawn }) => spawn.length > 0),
    ask: (broker) =>
      broker.settle(
        [settlement(lease.taskId, lease, finish('failed'), { spawn: [newTask(sampleId(9))] })],
        claimRequest(sampleToken(2)),
      ),
  },
];
