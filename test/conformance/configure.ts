/** configure: pausing and resuming queues. */

import { expect } from 'vitest';
import { startAt } from './samples.ts';
import type { Case } from './world.ts';

const pause = { by: 'ada', reason: 'mail is down' };

export const configureCases: readonly Case[] = [
  [
    'a queue may be paused before it has a task',
    async (world) => {
      await world.check((broker) => broker.configure('queue', 'new', { pause }), undefined, {
        'queue new': { ...pause, at: startAt },
      });
      expect(await world.broker().getQueues()).toEqual([
        { name: 'new', pause: { ...pause, at: startAt }, max: null, rate: null, counts: {}, oldestDueAt: null },
      ]);
    },
  ],
  [
    'pausing again tells the newest words and time',
    async (world) => {
      await world.broker().configure('queue', 'q', { pause });
      world.clock.move(5);
      await world.broker().configure('queue', 'q', { pause: { by: 'bob', reason: null } });
      expect(await world.broker().getQueues()).toMatchObject([{ pause: { by: 'bob', reason: null, at: startAt + 5 } }]);
    },
  ],
  [
    'null resumes, and the queue stays known',
    async (world) => {
      await world.broker().configure('queue', 'q', { pause });
      await world.check((broker) => broker.configure('queue', 'q', { pause: null }), undefined, { 'queue q': null });
      expect(await world.broker().getQueues()).toMatchObject([{ name: 'q', pause: null }]);
    },
  ],
  [
    'what is not given stays as it is',
    async (world) => {
      await world.broker().configure('queue', 'q', { pause });
      await world.check((broker) => broker.configure('queue', 'q', {}), undefined);
    },
  ],
  [
    'a pause keeps running tasks running',
    async (world) => {
      const { id } = await world.bring('running');
      await world.broker().configure('queue', 'default', { pause });
      expect(await world.task(id)).toMatchObject({ state: 'running' });
    },
  ],
  [
    'a change of settings is an event without tasks',
    async (world) => {
      await world.broker().configure('queue', 'q', { pause });
      expect(await world.store.events()).toMatchObject([{ kind: 'configure', items: [] }]);
    },
  ],
];
