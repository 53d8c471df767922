/** What the Redis adapter does not do yet. Each line goes when it is built; then its cases come by themselves. */

import type { Lack } from './lack.ts';

const nextStep = 'the adapter begins with single tasks: this comes with the whole of it';

export const redisLacks: readonly Lack[] = [
  {
    what: 'schedules',
    why: nextStep,
    isAsked: (called) => ['put', 'delete', 'pause', 'fire', 'due', 'get'].includes(called),
    ask: (broker) => broker.schedules.get([]),
  },
];
