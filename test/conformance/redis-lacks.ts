/** What the Redis adapter does not do yet. Each line goes when it is built; then its cases come by themselves. */

import type { Settings } from '../../src/broker/broker.ts';
import type { Lack } from './lack.ts';
import { heartbeatRequest } from './samples.ts';

const nextStep = 'the adapter begins with single tasks: this comes with the whole of it';

/** A method that is missing altogether. */
function method(name: string, ask: Lack['ask'], what = name): Lack {
  return { what, why: nextStep, isAsked: (called) => called === name, ask };
}

function hasAny(settings: unknown, ...names: (keyof Settings)[]): boolean {
  return names.some((name) => (settings as Settings)[name] !== undefined);
}

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
];
