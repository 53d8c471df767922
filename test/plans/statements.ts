/** Every method of a broker over SQL in a way that reaches all of its statements, and a driver that notes them. */

import type { Broker, ClaimRequest } from '../../src/broker/broker.ts';
import type {
  EachStatement,
  ManyStatement,
  SqlDriver,
  SqlTransaction,
  Statement,
} from '../../src/broker/sql/driver.ts';
import {
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  overdueRequest,
  settlement,
  storedTask,
  wait,
} from '../conformance/samples.ts';
import { askOf, fireOf, newSchedule } from '../conformance/schedule-samples.ts';

/** The wall clock of the store. */
export interface HandClock {
  now: number;
}

/** The same driver, noting every statement that passes. */
export function noting<Driver extends SqlDriver>(
  driver: Driver,
  seen: Map<string, Statement | EachStatement | ManyStatement>,
): Driver {
  const wrap = (tx: SqlTransaction): SqlTransaction => ({
    ...tx,
    query: (statement, ...values) => {
      seen.set(statement.name, statement);
      return tx.query(statement, ...values);
    },
    change: (statement, ...values) => {
      seen.set(statement.name, statement);
      return tx.change(statement, ...values);
    },
    each: (statement, rows) => {
      seen.set(statement.name, statement);
      return tx.each(statement, rows);
    },
    many: (statement, shared, rows) => {
      seen.set(statement.name, statement);
      return tx.many(statement, shared, rows);
    },
    lock: (statement, ...values) => {
      seen.set(statement.name, statement);
      return tx.lock(statement, ...values);
    },
    send: (statement, ...values) => {
      seen.set(statement.name, statement);
      tx.send(statement, ...values);
    },
    sendEach: (statement, rows) => {
      seen.set(statement.name, statement);
      tx.sendEach(statement, rows);
    },
  });
  return {
    ...driver,
    transaction: (work) => driver.transaction((tx) => work(wrap(tx))),
    read: (work) => driver.read((tx) => work(wrap(tx))),
    readOne: (statement, ...values) => {
      seen.set(statement.name, statement);
      return driver.readOne(statement, ...values);
    },
    writeOne: (statement, ...values) => {
      seen.set(statement.name, statement);
      return driver.writeOne(statement, ...values);
    },
  };
}

/** Calls every method in a way that reaches all of its statements. */
export async function useAll(broker: Broker, clock: HandClock): Promise<void> {
  const id = (number: number): string => `01K8Q2M4ZJ${String(number).padStart(16, '0')}`;
  const keyed = { key: 'k', ifExists: 'replace', keyForMs: null } as const;
  await broker.enqueue([newTask(id(1)), newTask(id(2), { delayMs: 1 }), newTask(id(3), { startWithinMs: 1 })]);
  await broker.enqueue([newTask(id(1))]);
  await broker.enqueue([newTask(id(4), keyed)]);
  await broker.enqueue([newTask(id(5), keyed), newTask(id(1))]);
  const request: ClaimRequest = claimRequest('t');
  const claimed = await broker.claim(request);
  await broker.claim(request);
  await broker.claim(claimRequest('none'));
  await broker.claim(claimRequest('none'));
  const beat = {
    ranMs: 1,
    progress: null,
    logs: [{ at: 1, level: 'info', message: 'm', fields: null }],
    checkpoints: [],
  } as const;
  await broker.heartbeat(heartbeatRequest(claimed.map(({ lease }) => ({ lease, ...beat }))));
  await broker.cancel({ taskIds: [id(1)], reason: null });
  clock.now += 10;
  await broker.promote(10);
  await broker.claimOverdue({
    ...overdueRequest('j'),
    deadWorkers: claimed.flatMap(({ task }) => task.workerId ?? []),
  });
  const verdicts = [finish('failed'), finish('succeeded')];
  await broker.settle(
    claimed.map(({ task, lease }, index) => settlement(task.id, lease.token, verdicts[index] ?? wait('queued'))),
    claimRequest('u'),
  );
  await broker.update([{ taskId: id(3), version: null, patch: { priority: 1 } }]);
  await broker.retry([id(1)]);
  await broker.remove([id(4)]);
  await broker.configure('queue', 'default', { pause: { by: 'a', reason: null } });
  await broker.configure('queue', 'default', {});
  await useLimits(broker, id);
  await useDependencies(broker, id);
  await useControl(broker);
  await useSchedules(broker, clock.now);
  await useGroups(broker, id);
  await broker.prune(10);
  await broker.getQueues();
  await broker.getWorkers();
  await broker.getTasks([id(1)]);
  await broker.inspect([id(1), id(3), id(5)]);
  await broker.info();
}

/** Tasks with limits: more than one claim lets through, so that it reads on behind them. */
async function useLimits(broker: Broker, id: (number: number) => string): Promise<void> {
  const rules = [{ name: 'l', max: 1, rate: { count: 5, perMs: 1 } }];
  await broker.enqueue([20, 21, 22].map((number) => newTask(id(number), { queue: 'limited', limits: rules })));
  await broker.enqueue([newTask(id(23), { queue: 'limited' })]);
  const queues = [{ name: 'limited', limit: 2 }];
  const claimed = await broker.claim(claimRequest('v', { queues }));
  // Behind a full limit there are more than it reads at first.
  await broker.peek('limited', 1);
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease.token, finish('failed'))));
  await broker.configure('limit', 'l', { max: 2, rate: null });
  await broker.peek('limited', 10);
  await broker.configure('queue', 'limited', { max: 5 });
  await broker.inspect([id(22)]);
}

async function useControl(broker: Broker): Promise<void> {
  const [sent] = await broker.control(['worker-1', 'nobody'], { kind: 'drain' });
  await broker.heartbeat(heartbeatRequest([], sent?.outcome === 'sent' ? { heard: sent.id } : {}));
}

async function useSchedules(broker: Broker, now: number): Promise<void> {
  const { schedules } = broker;
  const [soon, later] = [
    { at: now, dueAt: now },
    { at: now + 1, dueAt: now + 1 },
  ];
  await schedules.put([newSchedule('s', { next: soon })]);
  await schedules.put([newSchedule('s', { definition: '{}', next: soon })]);
  await schedules.due(10);
  await schedules.fire([fireOf('s', { version: 2, at: soon.at, next: later })]);
  await schedules.fire([askOf('s', later.at)]);
  await schedules.get(['s']);
  await schedules.list(null, 10);
  await schedules.pause(['s'], null);
  await schedules.delete(['s']);
}

/** Tasks with groups and limits: more than one claim lets through, and a queue that runs empty. */
async function useGroups(broker: Broker, id: (number: number) => string): Promise<void> {
  const given = { queue: 'shared', limits: [{ name: 'g', max: 1, rate: null }] };
  await broker.enqueue([30, 31, 32].map((number) => newTask(id(number), { ...given, group: `g${number % 2}` })));
  await broker.enqueue([33, 34].map((number) => newTask(id(number), { queue: 'shared', group: 'h' })));
  const queues = [{ name: 'shared', limit: 2 }];
  await broker.inspect([id(32)]);
  await broker.peek('shared', 10);
  await broker.claim(claimRequest('w', { queues, limit: 2 }));
  await broker.claim(claimRequest('x', { queues, limit: 2 }));
  await broker.getQueues();
  await broker.cancel({ taskIds: [30, 31, 32].map(id), reason: null });
  await broker.claim(claimRequest('y', { queues, limit: 2 }));
}

/** Parents and children in every way they are tied and let go. */
async function useDependencies(broker: Broker, id: (number: number) => string): Promise<void> {
  const on = (number: number) => ({ taskId: id(number), onFailure: 'fail' }) as const;
  const given = { queue: 'flow', flowId: 'f' };
  await broker.enqueue([newTask(id(50), given), newTask(id(51), { ...given, dependsOn: [on(50)] })]);
  await broker.enqueue([newTask(id(52), { queue: 'flow', dependsOn: [on(51)] })]);
  const queues = [{ name: 'flow', limit: 5 }];
  const [first] = await broker.claim(claimRequest('fw', { queues }));
  const spawn = [
    newTask(id(53), { ...given, dependsOn: [on(50)], blocks: [on(51)] }),
    newTask(id(56), { ...given, dependsOn: [on(52)], blocks: [on(54)] }),
  ];
  await broker.enqueue([newTask(id(54), { queue: 'flow', delayMs: 5 })]);
  if (first === undefined) throw new Error('the first task of the flow is claimed');
  const next = claimRequest('fx', { queues });
  const { claimed } = await broker.settle(
    [settlement(first.task.id, first.lease.token, finish('succeeded'), { spawn })],
    next,
  );
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease.token, finish('failed'))));
  await broker.enqueue([newTask(id(57), { queue: 'flow', dependsOn: [{ ...on(53), onFailure: 'ignore' }] })]);
  await broker.enqueue([
    newTask(id(58), { queue: 'flow', delayMs: 5 }),
    newTask(id(59), { dependsOn: [{ ...on(58), onFailure: 'ignore' }] }),
  ]);
  await broker.cancel({ taskIds: [id(58)], reason: null });
  await broker.claimOverdue(overdueRequest('fk'));
  await broker.retry(claimed.map(({ task }) => task.id));
  await broker.inspect([id(51)]);
  const reach = ['*'];
  await broker.cancel({ taskIds: [id(50)], flowId: 'f', reason: null, reach });
  await broker.enqueue([newTask(id(55), given)]);
  await broker.remove([id(51)]);
  await broker.restore([storedTask(id(61), { dependsOn: [on(60)] })]);
  await broker.enqueue([newTask(id(60))]);
}
