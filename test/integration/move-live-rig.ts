/** Something of everything in a store, and what anybody can see of it. */

import type { Broker } from '../../src/broker/broker.ts';
import type { Task } from '../../src/core/task.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement, wait } from '../conformance/samples.ts';

const limits = [{ name: 'api', max: 5, rate: { count: 100, perMs: 1_000 } }];
const times = { at: 4_000_000_000_000, dueAt: 4_000_000_000_000 };

/** Each state, keys in force and kept, groups, limits, parents, a flow, attempts, logs, schedules, settings. */
export async function fill(store: Broker): Promise<void> {
  const plain = Array.from({ length: 250 }, (_, index) => newTask(sampleId(index + 1), { payload: `{"n":${index}}` }));
  await store.enqueue([...plain, newTask(sampleId(260), { key: 'kept', keyForMs: 3_600_000_000, priority: 1 })]);
  const run = await store.claim(claimRequest(sampleToken(1), { limit: 60, queues: [{ name: 'default', limit: 60 }] }));
  const logs = [{ at: 1, level: 'info', message: 'a "word"', fields: '{"a":1}' } as const];
  const end = (index: number) =>
    index % 3 === 1
      ? finish('failed')
      : index % 3 === 2
        ? wait('scheduled', { delayMs: 9_000_000 })
        : finish('succeeded');
  await store.settle(
    run.slice(0, 40).map(({ lease, task }, index) => settlement(task.id, lease, end(index), { ranMs: 5, logs })),
  );
  const [done = ''] = run.map(({ task }) => task.id);
  await store.enqueue([
    newTask(sampleId(301), { key: 'k', delayMs: 3_600_000, queue: 'later', tags: ['x'] }),
    newTask(sampleId(302), { group: 'g', limits, queue: 'grouped' }),
    newTask(sampleId(303), { group: 'h', queue: 'grouped', flowId: sampleId(302) }),
    newTask(sampleId(304), {
      dependsOn: [
        { taskId: sampleId(302), onFailure: 'fail' },
        { taskId: done, onFailure: 'fail' },
      ],
      flowId: sampleId(302),
    }),
    // A child that is moved long before its parent.
    newTask(sampleId(0), { dependsOn: [{ taskId: sampleId(306), onFailure: 'fail' }], queue: 'grouped' }),
    newTask(sampleId(306), { queue: 'grouped' }),
  ]);
  await store.configure('queue', 'later', { pause: { by: 'bob', reason: 'holidays' }, max: 3 });
  await store.configure('group', 'g', { weight: 3 });
  await store.configure('limit', 'api', { max: 7, pause: { by: 'ada', reason: null } });
  await store.schedules.put(
    Array.from({ length: 120 }, (_, n) => ({ name: `s${n}`, definition: `{"cron":"${n % 60} 2 * * *"}`, next: times })),
  );
  await store.schedules.pause(['s7'], { by: 'ada', reason: 'later' });
}

export const allIds = [...Array.from({ length: 250 }, (_, index) => index + 1), 0, 260, 301, 302, 303, 304, 306].map(
  sampleId,
);

/** What moves, as it must look on either side. */
export async function seen(store: Broker): Promise<object> {
  const tasks = await store.getTasks(allIds);
  const unfinished = tasks.filter((task): task is Task => task !== null && task.finishedAt === null);
  const queues = await store.getQueues();
  const groups = await store.getGroups(null, 100);
  const rules = await store.getLimits(null, 100);
  const own = ({
    pause,
    ...rest
  }: {
    readonly pause: { readonly by: string; readonly reason: string | null } | null;
  }) => ({
    ...rest,
    pause: pause === null || pause.by === 'db move' ? null : { by: pause.by, reason: pause.reason },
  });
  return {
    unfinished: unfinished.map((task) => ({ ...task, token: null })),
    queues: queues.map(({ counts, ...queue }) => {
      const { succeeded: _succeeded, failed: _failed, ...alive } = counts;
      return { ...own(queue), counts: alive };
    }),
    groups: groups.map(own),
    limits: rules.map(own),
    schedules: await store.schedules.list(null, 500),
  };
}
