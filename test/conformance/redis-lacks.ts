/** What the Redis adapter does not do yet. Each line goes when it is built; then its cases come by themselves. */

import type { Lack } from './lack.ts';
import { heartbeatRequest } from './samples.ts';

const nextStep = 'the adapter begins with single tasks: this comes with the whole of it';

/** A method that is missing altogether. */
function method(name: string, ask: Lack['ask'], what = name): Lack {
  return { what, why: nextStep, isAsked: (called) => called === name, ask };
}

export const redisLacks: readonly Lack[] = [
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
