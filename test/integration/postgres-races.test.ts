/** Many connections to one Postgres at once, as SQLite never has them: what only one may do is done once, and nothing is missed. */

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { type PostgresAddress, readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import { readEvents, readFinalEvents } from '../../src/broker/sql/events.ts';
import { migrationStatus } from '../../src/broker/sql/migrate.ts';
import { recount } from '../../src/broker/sql/recount.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { claimRequest, finish, newTask, sampleId, settlement, storedTask, wait } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(({ url }) => {
  const address = { ...readPostgresUrl(url), pool: 4 };
  let tokens = 0;
  const token = (): string => (++tokens).toString(16).padStart(32, '0');
  let ids = 0;
  const id = (): string => sampleId(++ids);
  const idsOf = (count: number): readonly string[] => Array.from({ length: count }, id);

  /** Each broker is as another process: connections and memory of its own. */
  async function open(count: number, use: (brokers: readonly Broker[], driver: SqlDriver) => Promise<void>) {
    const namespace = `races_${randomBytes(6).toString('hex')}`;
    const options = { address: address as PostgresAddress, namespace, clock: systemClock, chance: systemChance };
    const brokers = Array.from({ length: count }, () => createPostgresBroker({ address, namespace }));
    const driver = createPostgresDriver(options);
    await driver.open();
    try {
      await Promise.all(brokers.map((broker) => broker.open()));
      await use(brokers, driver);
      expect((await recount(driver)).discrepancies).toEqual([]);
    } finally {
      await Promise.all(brokers.map((broker) => broker.close()));
      await driver.transaction((tx) => tx.execute(`DROP SCHEMA IF EXISTS ${namespace} CASCADE`));
      await driver.close();
    }
  }

  const all = <Answer>(brokers: readonly Broker[], call: (broker: Broker, index: number) => Promise<Answer>) =>
    Promise.all(brokers.map(call));

  test('eight that set up one namespace at once all succeed, on the same data', async () => {
    await open(8, async (brokers, driver) => {
      const seen = await all(brokers, (broker) => broker.info());
      expect(new Set(seen.map(({ incarnation }) => incarnation)).size).toBe(1);
      expect((await migrationStatus(driver)).pending).toEqual([]);
    });
  });

  test('a key that many enqueue at once has one holder', async () => {
    await open(6, async (brokers) => {
      for (let round = 0; round < 20; round += 1) {
        const results = await all(brokers, (broker) => broker.enqueue([newTask(id(), { key: `key-${round}` })]));
        const outcomes = results.flat().map(({ outcome }) => outcome);
        expect(outcomes.sort()).toEqual(['created', ...new Array(5).fill('duplicate')]);
      }
    });
  });

  test('a replaced holder that is claimed at the same time either runs or is replaced', async () => {
    await open(4, async (brokers) => {
      const [enqueuer, ...claimers] = brokers;
      for (let round = 0; round < 40; round += 1) {
        const [first, second] = [id(), id()];
        const body = { key: 'replaced', ifExists: 'replace' } as const;
        await enqueuer?.enqueue([newTask(first, body)]);
        const [[result] = [], ...claimed] = await Promise.all([
          enqueuer?.enqueue([newTask(second, body)]),
          ...claimers.map((broker) => broker.claim(claimRequest(token(), { limit: 1 }))),
        ]);
        const ran = claimed.flat().map(({ task }) => task.id);
        if (result?.outcome === 'created') expect(ran).toContain(first);
        else
          expect({ result, ran }).toMatchObject({
            result: { outcome: 'replaced', of: first },
            ran: ran.filter((each) => each === second),
          });
        const rest = await enqueuer?.claim(claimRequest(token()));
        expect([...ran, ...(rest ?? []).map(({ task }) => task.id)]).toContain(second);
      }
    });
  });

  test('the same enqueue sent twice at once stores its tasks once', async () => {
    await open(4, async (brokers) => {
      for (let round = 0; round < 10; round += 1) {
        const tasks = idsOf(50).map((each) => newTask(each));
        const results = await all(brokers, (broker) => broker.enqueue(tasks));
        const created = results
          .flat()
          .filter(({ outcome }) => outcome === 'created')
          .map(({ taskId }) => taskId);
        expect(created.sort()).toEqual(tasks.map((task) => task.id));
      }
    });
  });

  test('claims at once share no task and leave none, and a token sent twice gets the same ones', async () => {
    await open(6, async (brokers) => {
      const tasks = idsOf(600).map((each) => newTask(each));
      await brokers[0]?.enqueue(tasks);
      const claimed: string[] = [];
      for (let left = true; left; ) {
        const shared = token();
        const found = await all(brokers, (broker, index) =>
          broker.claim(claimRequest(index < 2 ? shared : token(), { limit: 20 })),
        );
        const [first, second, ...others] = found.map((each) => each.map(({ task }) => task.id));
        expect(second?.toSorted()).toEqual(first?.toSorted());
        claimed.push(...(first ?? []), ...others.flat());
        left = found.flat().length > 0;
      }
      expect(claimed.sort()).toEqual(tasks.map((task) => task.id));
    });
  });

  test('the last of many parents that end at once lets the child go', async () => {
    await open(5, async (brokers) => {
      for (let round = 0; round < 25; round += 1) {
        const parents = idsOf(5);
        const child = id();
        await brokers[0]?.enqueue([
          ...parents.map((each) => newTask(each, { queue: 'parents' })),
          newTask(child, { dependsOn: parents.map((taskId) => ({ taskId, onFailure: 'fail' as const })) }),
        ]);
        const claimed = await brokers[0]?.claim(claimRequest(token(), { queues: [{ name: 'parents', limit: 5 }] }));
        await all(brokers, async (broker, index) => {
          const lease = claimed?.[index]?.lease;
          if (lease !== undefined) await broker.settle([settlement(lease.taskId, lease, finish('succeeded'))]);
        });
        expect((await brokers[0]?.getTasks([child]))?.[0]?.state).toBe('queued');
        await brokers[0]?.cancel({ taskIds: [child], reason: null });
      }
    });
  });

  test('a parent that ends while a child comes to it lets that child go', async () => {
    await open(3, async (brokers) => {
      const [left, right] = brokers;
      for (let round = 0; round < 30; round += 1) {
        const [parent, child] = [id(), id()];
        await left?.enqueue([newTask(parent, { queue: 'parents' })]);
        const [claimed] = (await left?.claim(claimRequest(token(), { queues: [{ name: 'parents', limit: 1 }] }))) ?? [];
        await Promise.all([
          right?.enqueue([newTask(child, { dependsOn: [{ taskId: parent, onFailure: 'fail' }] })]),
          claimed && left?.settle([settlement(parent, claimed.lease, finish('succeeded'))]),
        ]);
        expect((await left?.getTasks([child]))?.[0]?.state).toBe('queued');
        await left?.cancel({ taskIds: [child], reason: null });
      }
    });
  });

  test('a limit is never exceeded by claims at once, and every slot is used again', async () => {
    await open(5, async (brokers) => {
      const rules = [{ name: 'api', max: 3, rate: null }];
      const tasks = idsOf(60).map((each) => newTask(each, { limits: rules }));
      await brokers[0]?.enqueue(tasks);
      let running = 0;
      let done = 0;
      await all(brokers, async (broker) => {
        for (let idle = 0; idle < 200 && done < tasks.length; ) {
          const claimed = await broker.claim(claimRequest(token(), { limit: 2 }));
          running += claimed.length;
          expect(running).toBeLessThanOrEqual(3);
          idle = claimed.length === 0 ? idle + 1 : 0;
          running -= claimed.length;
          done += claimed.length;
          await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
        }
      });
      expect(done).toBe(tasks.length);
    });
  });

  test('groups that empty and fill while claims run keep every task claimable', async () => {
    await open(6, async (brokers) => {
      const claimers = brokers.slice(3);
      const enqueuers = brokers.slice(0, 3);
      const wanted = new Set<string>();
      const seen: string[] = [];
      let enqueuing = true;
      const enqueue = all(enqueuers, async (broker) => {
        for (let round = 0; round < 40; round += 1) {
          const tasks = idsOf(3).map((each, index) => newTask(each, { group: `group-${(round + index) % 4}` }));
          for (const task of tasks) wanted.add(task.id);
          await broker.enqueue(tasks);
        }
      });
      const claim = all(claimers, async (broker) => {
        for (let idle = 0; enqueuing || idle < 3; ) {
          const { claimed } = await broker.settle([], claimRequest(token(), { limit: 4 }));
          seen.push(...claimed.map(({ task }) => task.id));
          idle = claimed.length === 0 ? idle + 1 : 0;
          const [retried, ...ended] = claimed;
          const settlements = ended.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded')));
          if (retried !== undefined) {
            const again = retried.task.epoch === 1;
            const verdict = again ? wait('queued') : finish('succeeded');
            settlements.push(settlement(retried.task.id, retried.lease, verdict));
          }
          await broker.settle(settlements);
        }
      });
      await enqueue;
      enqueuing = false;
      await claim;
      expect([...new Set(seen)].sort()).toEqual([...wanted].sort());
      const states = await brokers[0]?.getQueues();
      expect(states?.[0]?.counts).toEqual({ succeeded: wanted.size });
    });
  });

  test('a flow that is cancelled while tasks come to it has none that waits', async () => {
    await open(4, async (brokers) => {
      const [canceller, ...enqueuers] = brokers;
      for (let round = 0; round < 20; round += 1) {
        const flowId = id();
        const tasks = idsOf(enqueuers.length);
        await Promise.all([
          canceller?.cancel({ taskIds: [], flowId, reason: null }),
          ...enqueuers.map((broker, index) => broker.enqueue([newTask(tasks[index] ?? '', { flowId })])),
        ]);
        const states = (await canceller?.getTasks(tasks))?.map((task) => task?.state);
        expect(states).toEqual(tasks.map(() => 'cancelled'));
      }
    });
  });

  test('everything at once on the same tasks ends without a deadlock that is told, and agrees with itself', async () => {
    await open(5, async (brokers) => {
      const taskIds = idsOf(30);
      await brokers[0]?.enqueue(
        taskIds.map((each, index) => newTask(each, { key: `one-${index}`, group: `g${index % 3}` })),
      );
      const calls: readonly ((broker: Broker) => Promise<unknown>)[] = [
        (broker) => broker.cancel({ taskIds: taskIds.toReversed(), reason: null }),
        (broker) => broker.retry(taskIds),
        (broker) => broker.settle([], claimRequest(token(), { limit: 10 })),
        (broker) => broker.update(taskIds.map((taskId) => ({ taskId, version: null, patch: { priority: 3 } }))),
        (broker) => broker.promote(100),
        (broker) => broker.prune(100),
        (broker) => broker.remove(taskIds.slice(0, 5)),
        (broker) => broker.claimOverdue({ token: token(), limit: 10, leaseMs: 1_000, deadWorkers: ['worker-1'] }),
        (broker) => broker.configure('group', 'g1', { weight: 2 }),
      ];
      await all(brokers, async (broker, index) => {
        for (let turn = 0; turn < 40; turn += 1) await calls[(turn * 5 + index * 7) % calls.length]?.(broker);
      });
    });
  });

  test('events come in the order of their causes: along their numbers the versions of a task grow without a gap', async () => {
    await open(6, async (brokers, driver) => {
      let left = 200;
      const work = async (broker: Broker, index: number): Promise<void> => {
        if (index < 2) {
          for (let turn = 0; turn < 50; turn += 1) await broker.enqueue([newTask(id()), newTask(id())]);
          return;
        }
        let claimed = await broker.claim(claimRequest(token(), { limit: 3 }));
        while (left > 0) {
          const ended = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded')));
          left -= ended.length;
          ({ claimed } = await broker.settle(ended, claimRequest(token(), { limit: 3 })));
        }
      };
      await all(brokers, work);
      const versions = new Map<string, number>();
      for (const { items } of await driver.read((tx) => readEvents(tx, 0, 10_000)))
        for (const { taskId, version } of items) {
          expect([taskId, version]).toEqual([taskId, (versions.get(taskId) ?? 0) + 1]);
          versions.set(taskId, version);
        }
      expect([...versions.values()]).toEqual(Array.from({ length: 200 }, () => 3));
    });
  });

  test('a child that is restored while its parent is enqueued is let go when that has ended, at the latest by a prune', async () => {
    await open(2, async ([broker, other]) => {
      const children: string[] = [];
      for (let turn = 0; turn < 20; turn += 1) {
        const [childId, parentId] = [id(), id()];
        const dependsOn = [{ taskId: parentId, onFailure: 'fail' as const }];
        children.push(childId);
        await Promise.all([
          broker?.restore([storedTask(childId, { dependsOn })]),
          other?.enqueue([newTask(parentId, { queue: 'parents' })]),
        ]);
      }
      const parents = (await broker?.claim(claimRequest(token(), { queues: [{ name: 'parents', limit: 20 }] }))) ?? [];
      await broker?.settle(parents.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
      await broker?.prune(1);
      const states = (await broker?.getTasks(children))?.map((task) => task?.state);
      expect(states).toEqual(children.map(() => 'queued'));
    });
  });

  test('who reads events behind the last one seen misses none that was stored later', async () => {
    await open(5, async (brokers, driver) => {
      const writers = brokers.slice(1);
      let writing = true;
      const seen: number[] = [];
      const reading = (async () => {
        for (let last = 0, rest = true; writing || rest; ) {
          const isLast = !writing;
          const events = await readFinalEvents(driver, last, 1_000);
          seen.push(...events.map(({ seq }) => seq));
          last = events.at(-1)?.seq ?? last;
          rest = !isLast || events.length > 0;
        }
      })();
      await all(writers, async (broker) => {
        for (let turn = 0; turn < 60; turn += 1) await broker.enqueue([newTask(id())]);
      });
      writing = false;
      const stored = statement<[seq: number]>('stored_events', () => 'SELECT seq FROM events ORDER BY seq');
      await reading;
      // Other transactions of this server may hold the last ones back: those come, none before them.
      const expected = (await driver.readOne(stored)).map(([seq]) => seq);
      expect(seen).toEqual(expected.slice(0, seen.length));
      expect(seen.length).toBeGreaterThan(0);
    });
  });

  test('counts that several fold at once add up', async () => {
    await open(4, async (brokers) => {
      await all(brokers, async (broker) => {
        for (let turn = 0; turn < 20; turn += 1) {
          await broker.enqueue([newTask(id())]);
          if (turn % 5 === 0) await broker.prune(10);
        }
      });
      expect((await brokers[0]?.getQueues())?.[0]?.counts).toEqual({ queued: 80 });
    });
  });

  test('a group whose first task somebody holds has its turns all the same', async () => {
    await open(1, async ([broker], driver) => {
      if (broker === undefined) throw new Error('no broker');
      const [first = '', second = ''] = idsOf(2);
      const others = idsOf(8);
      await broker.enqueue([first, second].map((one) => newTask(one, { group: 'ada' })));
      await broker.enqueue(others.map((one) => newTask(one, { group: 'bob' })));
      const held = statement<[id: string]>('held_task', () => 'SELECT id FROM tasks WHERE id = $1 FOR UPDATE');
      const claimed: string[] = [];
      await driver.transaction(async (tx) => {
        await tx.query(held, first);
        for (let turn = 0; turn < 4; turn++)
          for (const { task } of await broker.claim(claimRequest(token(), { limit: 1 }))) claimed.push(task.id);
      });
      expect(claimed).toHaveLength(4);
      expect(claimed.indexOf(second)).toBeLessThan(2);
      expect((await broker.claim(claimRequest(token(), { limit: 1 }))).map(({ task }) => task.id)).toEqual([first]);
    });
  });

  test('a choice that is made anew looks where the first has looked', async () => {
    await open(1, async ([broker], driver) => {
      if (broker === undefined) throw new Error('no broker');
      const full = { limits: [{ name: 'full', max: 1, rate: null }] };
      await broker.enqueue([newTask(id(), { queue: 'other', ...full })]);
      await broker.claim(claimRequest(token(), { queues: [{ name: 'other', limit: 1 }], limit: 1 }));
      const groups = idsOf(450);
      const isFree = (at: number): boolean => at === 300 || at === 395;
      await broker.enqueue(
        groups.map((one, at) => newTask(one, { group: `g${1_000 + at}`, ...(isFree(at) ? {} : full) })),
      );
      const held = statement<[id: string]>('held_group', () => 'SELECT id FROM tasks WHERE id = $1 FOR UPDATE');
      const claimed = await driver.transaction(async (tx) => {
        await tx.query(held, groups[395] ?? '');
        return broker.claim(claimRequest(token(), { limit: 2 }));
      });
      expect(claimed.map(({ task }) => task.id)).toEqual([groups[300]]);
    });
  });
});
