/** A store that lives through random calls, and what a recorder would read of it: its events, and its tasks as they stand. */

import type { ClaimRequest, TaskBody } from '../../src/broker/broker.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { type Chance, createToken } from '../../src/core/chance.ts';
import { decide } from '../../src/core/decide.ts';
import { toTaskError } from '../../src/core/error-facts.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { ClaimedTask, Dependency, LogLine, NewTask, Outcome, Settlement } from '../../src/core/task.ts';
import { systemClock } from '../../src/core/time.ts';
import type { History } from '../../src/history/history.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { beat, claimRequest, heartbeatRequest, newTask, overdueRequest, sampleId } from '../conformance/samples.ts';

export interface RecordedLife {
  readonly history: History;
  /** One random call. */
  step(): Promise<void>;
  /** Ends every run. */
  rest(): Promise<void>;
  /** Ends every task. */
  end(): Promise<void>;
  /** What is past its time goes: only after all is recorded, as a live store keeps it so long. */
  prune(): Promise<void>;
  events(after: number, limit: number): Promise<readonly BatchEvent[]>;
  bodies(taskIds: Iterable<string>): Promise<readonly TaskBody[]>;
  taskIds(): readonly string[];
  close(): Promise<void>;
}

export async function createRecordedLife(chance: Chance, clock: { now: number }): Promise<RecordedLife> {
  const broker = createSqliteBroker({ file: ':memory:', now: () => clock.now, chance });
  await broker.open();
  const history = createSqlHistory(broker.driver, systemClock);
  const life = { numbers: 0, ids: [] as string[], running: [] as ClaimedTask[] };
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(chance.float() * values.length)] as Value;
  const some = (): readonly string[] => [pick(life.ids), pick(life.ids)].filter((id) => id !== undefined);
  const queues: ClaimRequest['queues'] = ['a', 'b'].map((name) => ({ name, limit: 3 }));

  const freshTask = (): NewTask => {
    life.numbers += 1;
    const id = sampleId(life.numbers);
    const dependsOn: readonly Dependency[] = some().map((taskId) => ({
      taskId,
      onFailure: pick(['fail', 'cancel', 'ignore']),
    }));
    return newTask(id, {
      queue: pick(['a', 'b']),
      name: pick(['one', 'two']),
      payload: pick(['{"to":"ada"}', '{"text":"\\u0000 it\'s \\"quoted\\""}', '{"text":"ü"}']),
      policy: '{"attempts":2}',
      delayMs: pick([0, 0, 0, 50]),
      expiresInMs: pick([null, null, 400]),
      startWithinMs: pick([null, null, 300]),
      timeoutMs: pick([null, 100]),
      key: pick([null, null, 'k']),
      ifExists: pick(['return', 'replace']),
      group: pick([null, 'g']),
      tags: pick([[], ['red']]),
      flowId: pick([null, null, ...life.ids.slice(-3), id]),
      dependsOn: pick([[], [], dependsOn.filter((each, index) => index === 0 || each.taskId !== dependsOn[0]?.taskId)]),
    });
  };

  const outcomeOf = ({ task }: ClaimedTask): Outcome => {
    const error = toTaskError(task.name, new Error(pick(['refused', 'broken'])));
    return pick<Outcome>([
      { kind: 'done', result: '{"ok":true}' },
      { kind: 'done', result: null },
      { kind: 'error', error, retryAfterMs: 20, retryable: true },
      { kind: 'giveUp', error },
      { kind: 'timedOut', error, byLife: false },
      { kind: 'snooze', delayMs: 30 },
      { kind: 'aborted' },
      { kind: 'released' },
      { kind: 'crashed', error },
      { kind: 'unknownTask' },
    ]);
  };
  const logs = (): readonly LogLine[] =>
    Array.from({ length: pick([0, 0, 1, 3]) }, (_each, index) => ({
      at: clock.now + index,
      level: pick(['info', 'warn']),
      message: `line\0 ${chance.float()}`,
      fields: pick([null, '{"n":1}']),
    }));
  const settlementOf = (claimed: ClaimedTask): Settlement => {
    const outcome = outcomeOf(claimed);
    const ranMs = outcome.kind === 'unknownTask' ? null : pick([10, 20]);
    const verdict = decide(claimed.task, { outcome, ranMs }, chance);
    return { lease: claimed.lease, verdict, ranMs, progress: null, logs: logs(), spawn: [] };
  };
  const claim = async (): Promise<void> => {
    const request = claimRequest(createToken(chance), { queues, limit: pick([1, 3, 6]), leaseMs: pick([100, 5_000]) });
    life.running.push(...(await broker.claim(request)));
  };
  const settle = async (ended: readonly ClaimedTask[]): Promise<void> => {
    life.running = life.running.filter((each) => !ended.includes(each));
    if (ended.length > 0) await broker.settle(ended.map(settlementOf));
  };
  const judge = async (): Promise<void> => {
    const overdue = await broker.claimOverdue(overdueRequest(createToken(chance)));
    if (overdue.length === 0) return;
    await broker.settle(
      overdue.map(({ task, lease, reason, failedParents }) => {
        const verdict = decide(task, { overdue: reason, failedParents }, chance);
        const ranMs = task.startedAt === null ? null : clock.now - task.startedAt;
        return { lease, verdict, ranMs, progress: null, logs: [], spawn: [] };
      }),
    );
  };

  const calls: readonly (() => Promise<unknown>)[] = [
    async () => {
      const there = new Set((await broker.getTasks(life.ids)).flatMap((task) => task?.id ?? []));
      const tasks = Array.from({ length: pick([1, 1, 4]) }, freshTask).map((task) => ({
        ...task,
        dependsOn: task.dependsOn.filter(({ taskId }) => there.has(taskId)),
      }));
      await broker.enqueue(tasks);
      life.ids.push(...tasks.map(({ id }) => id));
    },
    claim,
    claim,
    () => settle(life.running.filter(() => chance.float() < 0.5)),
    () => settle(life.running.slice(0, 3)),
    () => broker.heartbeat(heartbeatRequest(life.running.map(({ lease }) => beat(lease, { ranMs: 5, logs: logs() })))),
    () => broker.promote(10),
    judge,
    () => broker.cancel({ taskIds: some(), flowId: pick([null, ...some()]), reason: 'by ada' }),
    () => broker.retry(some()),
    () =>
      broker.update(
        some().map((taskId) => ({ taskId, version: null, patch: { queue: pick(['a', 'b']), priority: 1 } })),
      ),
    async () => {
      const taskIds = some();
      const tasks = await broker.getTasks(taskIds);
      await broker.remove(taskIds);
      // The same id once more: enqueued anew, or brought back as it stood.
      const [task] = tasks;
      if (task != null && (await broker.getTasks([task.id]))[0] === null) {
        if (chance.float() < 0.4) await broker.restore([task]);
        else if (chance.float() < 0.5) await broker.enqueue([{ ...newTask(task.id), queue: 'a', name: 'one' }]);
      }
    },
    () => broker.configure('queue', 'a', { pause: null }),
  ];
  const busy = [0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9, 10, 11, 12];

  return {
    history,
    step: async () => {
      clock.now += pick([0, 1, 7, 40, 120, pick([5_000, 70_000])]);
      await calls[pick(busy)]?.();
    },
    rest: async () => {
      await settle(life.running);
      clock.now += 100_000;
      for (let tries = 0; tries < 3; tries++) await judge();
    },
    end: async () => {
      await broker.cancel({ taskIds: life.ids, reason: 'the end' });
    },
    prune: async () => {
      while ((await broker.prune(1_000)) > 0);
    },
    events: (after, limit) => history.events(after, limit),
    bodies: async (taskIds) => {
      const records = await Promise.all([...new Set(taskIds)].map((taskId) => history.task(taskId)));
      return records.flatMap((record) =>
        record === null ? [] : [{ task: record.task, attempts: record.attempts, logs: record.logs }],
      );
    },
    taskIds: () => life.ids,
    close: () => broker.close(),
  };
}
