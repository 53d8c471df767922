/** The planted bugs: each breaks one promise of the seam, of a worker or of a client, in the test's own layer. */

import { limits } from '../../src/core/limits.ts';
import { isFinished } from '../../src/core/states.ts';
import type { Charge, Settlement, Verdict } from '../../src/core/task.ts';
import { change, during, inStore, rowOf, rowsOf, settleEach } from './bend.ts';
import { dependencyMutations } from './dependency-mutations.ts';
import { flowMutations } from './flow-mutations.ts';
import { limitMutations } from './limit-mutations.ts';
import { memberMutations } from './member-mutations.ts';
import type { Mutation } from './mutation.ts';
import { calmRates } from './network.ts';
import { scheduleMutations } from './schedule-mutations.ts';
import { sqlMutations } from './sql-mutations.ts';
import type { Swarm } from './swarm.ts';

/** One worker whose calls arrive late, after it has repeated them. */
const lateCalls: Partial<Swarm> = {
  workers: 1,
  servers: 0,
  tasks: 60,
  people: 0,
  leaseMs: 2_000,
  rates: { ...calmRates, late: 0.3, replyLost: 0.4 },
};

/** They cancel and retry all the time, and what they mean to reach does not wait for others, but runs, and will not be told. */
const manyPeople: Partial<Swarm> = {
  people: 8,
  tasks: 60,
  safetyMs: 60_000,
  servers: 2,
  workers: 4,
  chained: 0,
  rude: true,
};

/**
 * Workers that are silent for longer than their lease and come back, and reapers that are slow to settle; but faster than a
 * third of the lease, or they take it for an outage and judge nobody. The beat has to come between a look and its verdict.
 */
const silentWorkers: Partial<Swarm> = {
  leaseMs: 5_000,
  servers: 3,
  safetyMs: 150_000,
  workers: 4,
  people: 0,
  tasks: 100,
  freezeEveryMs: 3_000,
  rates: { ...calmRates, slow: 0.4, slowMaxMs: 1_600 },
};

const withCharge = (settlement: Settlement, charge: Charge): Settlement => ({
  ...settlement,
  verdict: { ...settlement.verdict, charge },
});

const storeMutations: readonly Mutation[] = [
  inStore('settle-any-token', 'a settlement is accepted under any token', (broker, state) =>
    settleEach(broker, (settlement) => {
      const row = rowOf(state, settlement.lease);
      if (row?.token == null) return settlement;
      return { ...settlement, lease: { ...settlement.lease, token: row.token, epoch: row.task.epoch } };
    }),
  ),
  inStore(
    'settle-any-epoch',
    'a settlement is accepted under the token of its claim, whichever run it is of',
    (broker, state) =>
      settleEach(broker, (settlement) => {
        const epoch = rowOf(state, settlement.lease)?.task.epoch ?? settlement.lease.epoch;
        return { ...settlement, lease: { ...settlement.lease, epoch } };
      }),
    lateCalls,
  ),
  inStore('settled-token-forgotten', 'a repeated settlement is taken for a stale one', (broker, state) => ({
    settle: (settlements, claimNext) => {
      for (const { lease } of settlements) {
        const row = rowOf(state, lease);
        if (row !== undefined) row.settledToken = null;
      }
      return broker.settle(settlements, claimNext);
    },
  })),
  inStore('claim-repeats-anew', 'a repeated claim gives other tasks than the first', (broker, state) => ({
    claim: (request) =>
      during(
        () => {
          const held = rowsOf(state, 'running').filter(({ token }) => token === request.token);
          for (const row of held) row.token = 'hidden';
          return () => {
            for (const row of held) row.token = request.token;
          };
        },
        () => broker.claim(request),
      ),
  })),
  inStore(
    'reaper-without-grace',
    'a requested cancellation is judged at once',
    (broker, state) => ({
      claimOverdue: (request) =>
        during(
          () => {
            const asked = rowsOf(state, 'running').filter(({ task }) => task.cancelRequestedAt !== null);
            const times = asked.map(({ task }) => task.cancelRequestedAt);
            for (const row of asked)
              change(row, { cancelRequestedAt: (row.task.cancelRequestedAt ?? 0) - limits.graceMs });
            return () => {
              for (const [index, row] of asked.entries()) change(row, { cancelRequestedAt: times[index] ?? null });
            };
          },
          () => broker.claimOverdue(request),
        ),
    }),
    manyPeople,
  ),
  inStore('heartbeat-ignored', 'a heartbeat extends no lease', (broker, state) => ({
    heartbeat: async (request) => {
      const before = request.beats.map(({ lease }) => rowOf(state, lease)?.task.leaseUntil ?? null);
      const answer = await broker.heartbeat(request);
      for (const [index, { lease }] of request.beats.entries()) {
        const row = rowOf(state, lease);
        if (row !== undefined && answer.beats[index] !== 'lost') change(row, { leaseUntil: before[index] ?? null });
      }
      return answer;
    },
  })),
  inStore('heartbeat-hides-cancel', 'a heartbeat does not tell of a cancellation', (broker) => ({
    heartbeat: async (request) => {
      const answer = await broker.heartbeat(request);
      return { ...answer, beats: answer.beats.map((beat) => (beat === 'cancel' ? 'ok' : beat)) };
    },
  })),
  inStore(
    'command-told-once',
    'a command is forgotten when it was answered, also when the reply was lost',
    (broker, state) => ({
      heartbeat: async (request) => {
        const answer = await broker.heartbeat(request);
        const record = state.presences.get(request.worker.workerId);
        if (record !== undefined) state.presences.set(record.workerId, { ...record, commands: [] });
        return answer;
      },
    }),
    { people: 3, rates: { ...calmRates, replyLost: 0.3 } },
  ),
  inStore(
    'command-ids-again',
    'the ids of commands begin anew when all were confirmed',
    (broker, state) => ({
      control: (workerIds, command) => {
        for (const workerId of workerIds)
          if (state.presences.get(workerId)?.commands.length === 0) state.lastCommands.delete(workerId);
        return broker.control(workerIds, command);
      },
    }),
    { people: 3 },
  ),
  inStore('heartbeat-revives', 'a heartbeat of a lost lease is answered as if it held', (broker) => ({
    heartbeat: async (request) => {
      const answer = await broker.heartbeat(request);
      return { ...answer, beats: answer.beats.map((beat) => (beat === 'lost' ? 'ok' : beat)) };
    },
  })),
  inStore('steps-forgotten', 'a task that was lost forgets its steps', (broker, state) => ({
    claimOverdue: async (request) => {
      const overdue = await broker.claimOverdue(request);
      for (const { task, reason } of overdue)
        if (reason === 'lease_expired') change(state.rows.get(task.id)!, { checkpoints: [] });
      return overdue;
    },
  })),
  inStore(
    'retry-keeps-steps',
    'a task that a person retries has its old steps',
    (broker, state) => ({
      retry: async (taskIds) => {
        const before = taskIds.map((taskId) => state.rows.get(taskId)?.task.checkpoints ?? []);
        const results = await broker.retry(taskIds);
        for (const [index, taskId] of taskIds.entries()) {
          const row = state.rows.get(taskId);
          if (row !== undefined && results[index]?.outcome === 'queued')
            change(row, { checkpoints: before[index] ?? [] });
        }
        return results;
      },
    }),
    manyPeople,
  ),
  inStore(
    'judge-survives-beat',
    'a verdict is accepted although the lease was renewed since its look',
    (broker, state) => ({
      heartbeat: async (request) => {
        const rows = request.beats.flatMap(({ lease }) => rowOf(state, lease) ?? []);
        const judges = rows.map(({ judgeToken, judgeUntil }) => ({ judgeToken, judgeUntil }));
        const answer = await broker.heartbeat(request);
        for (const [index, row] of rows.entries()) Object.assign(row, judges[index]);
        return answer;
      },
    }),
    silentWorkers,
  ),
  inStore('release-charged', 'a run that is handed back costs an attempt', (broker) =>
    settleEach(broker, (one) => (one.verdict.reason === 'released' ? withCharge(one, 'attempt') : one)),
  ),
  inStore('error-not-charged', 'a run that failed costs nothing', (broker) =>
    settleEach(broker, (one) =>
      one.verdict.reason === 'error' && one.verdict.to === 'scheduled' ? withCharge(one, 'nothing') : one,
    ),
  ),
  inStore('crash-charged', 'a lost worker costs an attempt', (broker) =>
    settleEach(broker, (one) => (one.verdict.reason === 'lease_lost' ? withCharge(one, 'attempt') : one)),
  ),
  inStore('backoff-ignored', 'a failed task runs again at once', (broker) =>
    settleEach(broker, (one) => ({ ...one, verdict: withoutDelay(one.verdict) })),
  ),
  inStore('cancel-overwritten', 'a failure of a cancelled run is tried again', (broker, state) =>
    settleEach(broker, (settlement) => {
      const row = rowOf(state, settlement.lease);
      if (row?.token === settlement.lease.token) change(row, { cancelRequestedAt: null });
      return settlement;
    }),
  ),
  inStore('key-not-freed', 'a finished task keeps its key', (broker, state) => ({
    settle: async (settlements, claimNext) => {
      const before = new Map(state.keys);
      const answer = await broker.settle(settlements, claimNext);
      for (const [key, held] of before) if (!state.keys.has(key)) state.keys.set(key, held);
      return answer;
    },
  })),
  inStore('key-freed-early', 'a task that is claimed lets go of its key', (broker, state) => ({
    claim: async (request) => {
      const claimed = await broker.claim(request);
      for (const { task } of claimed) if (task.key !== null) state.keys.delete(task.key);
      return claimed;
    },
  })),
  inStore('counts-drift', 'a cancelled task is not taken off its count', (broker, state) => ({
    cancel: async (request) => {
      const before = new Map(state.counts);
      const answer = await broker.cancel(request);
      for (const [name, count] of before) if (name.includes('"queued"')) state.counts.set(name, count);
      return answer;
    },
  })),
  inStore('pause-ignored', 'a paused queue is claimed from', (broker, state) => ({
    claim: (request) =>
      during(
        () => {
          const before = new Map(state.queues);
          for (const name of before.keys()) state.queues.set(name, { pause: null });
          return () => {
            for (const [name, queue] of before) state.queues.set(name, queue);
          };
        },
        () => broker.claim(request),
      ),
  })),
  inStore('early-promotion', 'a task is promoted two seconds before its time', (broker, state) => ({
    promote: (limit) => {
      for (const row of rowsOf(state, 'scheduled')) change(row, { dueAt: row.task.dueAt - 2_000 });
      return broker.promote(limit);
    },
  })),
  inStore('deadlines-ignored', 'a task is claimed after the end of its life', (broker, state) => ({
    claim: (request) => {
      for (const row of rowsOf(state, 'queued')) change(row, { expiresAt: null });
      return broker.claim(request);
    },
  })),
  inStore('enqueue-forgets', 'an accepted task is lost now and then', (broker, state) => ({
    enqueue: async (tasks) => {
      const results = await broker.enqueue(tasks);
      const [first] = results;
      if (state.lastSeq % 5 === 0 && first?.outcome === 'created') state.rows.delete(first.taskId);
      return results;
    },
  })),
  inStore('prune-unfinished', 'a running task is pruned', (broker, state) => ({
    prune: (limit) => {
      for (const row of rowsOf(state, 'running')) change(row, { pruneAt: 0 });
      return broker.prune(limit);
    },
  })),
  inStore('prune-early', 'a finished task is pruned before the end of its retention', (broker, state) => ({
    prune: (limit) => {
      for (const row of rowsOf(state, 'succeeded')) row.leavesAt = 0;
      return broker.prune(limit);
    },
  })),
  inStore('settle-twice', 'a repeated settlement is applied again', (broker, state) => ({
    settle: (settlements, claimNext) => {
      for (const { lease } of settlements) {
        const row = rowOf(state, lease);
        if (row === undefined || row.settledToken !== lease.token || !isFinished(row.task.state)) continue;
        row.token = lease.token;
        change(row, { state: 'running', finishedAt: null, pruneAt: null });
      }
      return broker.settle(settlements, claimNext);
    },
  })),
  inStore(
    'strict-cancel-ignored',
    'a success counts although a strict cancellation was asked for',
    (broker, state) =>
      settleEach(broker, (settlement) => {
        const row = rowOf(state, settlement.lease);
        if (row?.token === settlement.lease.token && settlement.verdict.to === 'succeeded')
          change(row, { cancelRequestedAt: null });
        return settlement;
      }),
    { ...manyPeople, strict: 1 },
  ),
  inStore('payload-altered', 'a payload comes back as another', (broker) => ({
    enqueue: (tasks) =>
      broker.enqueue(tasks.map((task) => ({ ...task, payload: task.payload.replace(/"n":(\d+)/, '"n":1$1') }))),
  })),
  inStore('client-clock', 'a delay is counted from the clock of the caller', (broker, state) => ({
    enqueue: (tasks) =>
      broker.enqueue(
        tasks.map((task) =>
          task.delayMs === 0 ? task : { ...task, delayMs: 0, at: state.lastNow + task.delayMs - 4_000 },
        ),
      ),
  })),
  inStore('reaper-sees-nothing', 'no overdue task is ever found', () => ({ claimOverdue: async () => [] })),
  inStore(
    'retry-keeps-attempts',
    'a task that a person retries has its old attempts',
    (broker, state) => ({
      retry: async (taskIds) => {
        const before = taskIds.map((taskId) => state.rows.get(taskId)?.task.attempt ?? 0);
        const results = await broker.retry(taskIds);
        for (const [index, taskId] of taskIds.entries()) {
          const row = state.rows.get(taskId);
          if (row !== undefined && results[index]?.outcome === 'queued') change(row, { attempt: before[index] ?? 0 });
        }
        return results;
      },
    }),
    manyPeople,
  ),
];

function withoutDelay(verdict: Verdict): Verdict {
  return 'delayMs' in verdict && verdict.reason === 'error' ? { ...verdict, delayMs: 0 } : verdict;
}

/** Every planted bug, in a fixed order. */
export const mutations: readonly Mutation[] = [
  ...storeMutations,
  ...limitMutations,
  ...sqlMutations,
  ...memberMutations,
  ...scheduleMutations,
  ...dependencyMutations,
  ...flowMutations,
];
