/** All commands of the model runs, over few names and few times so that things meet. */

import fc, { type Arbitrary } from 'fast-check';
import type { ClaimRequest, ControlResult, SettleAnswer } from '../../src/broker/broker.ts';
import type { WorkerCommand } from '../../src/core/commands.ts';
import { limits } from '../../src/core/limits.ts';
import type { ClaimedTask, Lease, NewTask, OverdueTask, Settlement, Verdict } from '../../src/core/task.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  leaseMs,
  newTask,
  overdueRequest,
  presence,
  settlement,
  startAt,
  wait,
} from '../conformance/samples.ts';
import { type Book, freshId, freshToken, recent } from './book.ts';
import { type Command, callCommand, worldCommand } from './command.ts';
import {
  cancelFlow,
  enqueueFlow,
  enqueueLinked,
  enqueueOver,
  type LinkedGiven,
  linkedGiven,
  linkedTask,
  retryTwo,
} from './flow-commands.ts';
import { enqueueAwaited, restore, restoreAwaited, rules } from './restore-commands.ts';
import { scheduleCommands } from './schedule-commands.ts';
import { settingCommands } from './setting-commands.ts';

const back = fc.nat({ max: 6 });
const queue = fc.constantFrom('a', 'b');
const delayMs = fc.constantFrom(0, 0, 10, 5_000);
const charge = fc.constantFrom('attempt', 'crash', 'interruption', 'snooze', 'nothing');
const maybe = <Value>(...values: Value[]): Arbitrary<Value | null> => fc.constantFrom(null, null, ...values);
const ranMs = maybe(0, 40);
const progress = maybe({ done: 1, total: 2, note: null }, { done: 2, total: null, note: 'half' });
const line = { at: 1, level: 'info', message: 'hello', fields: null } as const;

const enqueueGiven: Arbitrary<Partial<NewTask>> = fc.record({
  queue,
  name: fc.constantFrom('one', 'two'),
  priority: fc.constantFrom(0, 5),
  delayMs,
  key: maybe('k', 'l'),
  ifExists: fc.constantFrom('return', 'replace', 'debounce', 'error'),
  startWithinMs: maybe(100, 40_000),
  expiresInMs: maybe(100, 60_000),
  timeoutMs: maybe(50, 20_000),
  keepMs: fc.constantFrom(0, 100_000),
  strictCancel: fc.boolean(),
  limits: rules,
  group: maybe('g', 'h', 'i'),
  reach: fc.constantFrom<undefined | string[]>(undefined, undefined, undefined, ['a'], ['c', '*b']),
});

/** `keyForMs` comes only with return and error, and `at` only without a delay: the client sees to it. */
function wellFormed(given: Partial<NewTask>, keyForMs: number | null, at: number | null): Partial<NewTask> {
  const keeps = given.ifExists === 'return' || given.ifExists === 'error';
  return { ...given, keyForMs: keeps ? keyForMs : null, at: given.delayMs === 0 ? at : null };
}

const enqueue = fc.tuple(enqueueGiven, maybe(1_000), maybe(startAt, startAt + 20_000)).map(([given, keyForMs, at]) => {
  const body = wellFormed(given, keyForMs, at);
  return callCommand(`Enqueue ${JSON.stringify(body)}`, (book) => {
    const task = newTask(freshId(book), body);
    book.tasks.push(task);
    return (broker) => broker.enqueue([task]);
  });
});

const enqueueAgain = fc.tuple(back, maybe('{"to":"eve"}')).map(([index, payload]) =>
  callCommand(`EnqueueAgain ${index} ${payload ?? 'the same'}`, (book) => {
    const task = recent(book.tasks, index);
    if (task === undefined) return null;
    return (broker) => broker.enqueue([payload === null ? task : { ...task, payload }]);
  }),
);

interface ClaimGiven {
  readonly limit: number;
  readonly perQueue: number;
  readonly workerId: string;
  /** How far back the token is repeated; `null` is a new one. */
  readonly again: number | null;
}

const claimGiven: Arbitrary<ClaimGiven> = fc.record({
  limit: fc.constantFrom(0, 1, 3, 10, 10),
  perQueue: fc.constantFrom(1, 5),
  workerId: fc.constantFrom('w1', 'w2'),
  again: maybe(0, 1, 2),
});

function claimOf(book: Book, { limit, perQueue, workerId, again }: ClaimGiven): ClaimRequest {
  const token = (again === null ? undefined : recent(book.tokens, again)) ?? freshToken(book);
  book.tokens.push(token);
  const queues = ['b', 'a'].map((name) => ({ name, limit: perQueue }));
  return claimRequest(token, { limit, workerId, queues });
}

function learnClaimed(book: Book, claimed: readonly ClaimedTask[]): void {
  book.leases.push(...claimed.map(({ lease }) => lease));
}

const claim = claimGiven.map((given) =>
  callCommand(
    `Claim ${JSON.stringify(given)}`,
    (book) => {
      const request = claimOf(book, given);
      return (broker) => broker.claim(request);
    },
    learnClaimed,
  ),
);

const heartbeat = fc
  .tuple(
    fc.array(fc.tuple(back, ranMs, progress), { maxLength: 3 }),
    fc.boolean(),
    fc.constantFrom('ready', 'stopped'),
    maybe(0, 1),
    fc.boolean(),
  )
  .map(([beats, server, state, confirms, answers]) =>
    callCommand(`Heartbeat ${JSON.stringify(beats)} ${server} ${state} ${confirms} ${answers}`, (book) => {
      const worker = presence({ workerId: server ? 's1' : 'w1', server, state });
      const known = beats.flatMap(([index, ran, done]) => {
        const lease = recent(book.leases, index);
        const news = { ranMs: ran, progress: done, logs: [line], checkpoints: [{ name: `c${index}`, value: '1' }] };
        return lease === undefined ? [] : [beat(lease, news)];
      });
      const heard = confirms === null ? undefined : recent(book.commands, confirms);
      const stack = answers ? { answers: heard ?? 0, slots: [], loop: null } : undefined;
      const more = { ...(heard !== undefined && { heard }), ...(stack !== undefined && { stack }) };
      return (broker) => broker.heartbeat(heartbeatRequest(known, { worker, ...more }));
    }),
  );

const workerVerdict: Arbitrary<Verdict> = fc
  .tuple(fc.constantFrom('succeeded', 'failed', 'cancelled', 'scheduled', 'queued', 'blocked'), charge, delayMs)
  .map(([to, charged, delay]) => {
    if (to === 'succeeded' || to === 'failed' || to === 'cancelled') return finish(to, { charge: charged });
    return wait(to, { charge: charged, ...(to === 'scheduled' && { delayMs: delay }) });
  });

/** A judge sends a task to fewer places: see the row `judge` of the table. */
const judgeVerdict = workerVerdict.filter(({ to }) => to !== 'succeeded' && to !== 'blocked');

function settleCommand(words: string, lease: (book: Book) => Lease | undefined, given: SettleGiven): Command {
  return callCommand<SettleAnswer>(
    `${words} ${JSON.stringify(given)}`,
    (book) => {
      const target = lease(book);
      if (target === undefined) return null;
      const { verdict, next, times } = given;
      const self = { taskId: target.taskId, onFailure: 'ignore' } as const;
      const spawn = given.spawn.map(([child, holdsBack]) => {
        const task = linkedTask(book, child);
        return holdsBack ? { ...task, blocks: [...task.blocks, self] } : task;
      });
      book.tasks.push(...spawn);
      const one = settlement(target.taskId, target.token, verdict, { ...given.told, logs: [line], spawn });
      book.settlements.push(one);
      const request = next === null ? undefined : claimOf(book, next);
      return (broker) =>
        broker.settle(
          Array.from({ length: times }, () => one),
          request,
        );
    },
    (book, { claimed }) => learnClaimed(book, claimed),
  );
}

interface SettleGiven {
  readonly verdict: Verdict;
  readonly told: Partial<Settlement>;
  readonly next: ClaimGiven | null;
  /** How often the settlement is in the batch. */
  readonly times: number;
  /** What it spawns, and whether the settled task waits for it. */
  readonly spawn: readonly (readonly [LinkedGiven, holdsBack: boolean])[];
}

const settleGiven = (verdict: Arbitrary<Verdict>): Arbitrary<SettleGiven> =>
  fc.record({
    verdict,
    told: fc.record({ ranMs, progress }),
    next: fc.option(claimGiven),
    times: fc.constantFrom(1, 1, 2),
    spawn: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.tuple(linkedGiven, fc.boolean()), { maxLength: 2 }) },
    ),
  });

const settle = fc
  .tuple(back, settleGiven(workerVerdict))
  .map(([index, given]) => settleCommand(`Settle ${index}`, (book) => recent(book.leases, index), given));

const settleOld = fc
  .tuple(fc.nat({ max: 40 }), settleGiven(workerVerdict))
  .map(([index, given]) => settleCommand(`SettleStale ${index}`, (book) => recent(book.leases, index), given));

const settleJudged = fc
  .tuple(back, settleGiven(judgeVerdict))
  .map(([index, given]) => settleCommand(`SettleJudged ${index}`, (book) => recent(book.judgements, index), given));

const settleAgain = back.map((index) =>
  callCommand(`SettleAgain ${index}`, (book) => {
    const one = recent(book.settlements, index);
    return one === undefined ? null : (broker) => broker.settle([one]);
  }),
);

const judge = fc.tuple(maybe(0, 1), fc.constantFrom<string[]>([], ['w1'], ['w1', 'w2'])).map(([again, deadWorkers]) =>
  callCommand<readonly OverdueTask[]>(
    `Judge ${again ?? 'anew'} ${deadWorkers}`,
    (book) => {
      const repeated = again === null ? undefined : recent(book.judgements, again)?.token;
      const request = overdueRequest(repeated ?? freshToken(book), { deadWorkers });
      return async (broker) => {
        const overdue = await broker.claimOverdue(request);
        return overdue.toSorted((left, right) => left.task.id.localeCompare(right.task.id));
      };
    },
    (book, overdue) => book.judgements.push(...overdue.map(({ lease }) => lease)),
  ),
);

const promote = fc
  .constantFrom(1, 3, 100)
  .map((limit) => callCommand(`Promote ${limit}`, () => (broker) => broker.promote(limit)));
// Which tasks a smaller limit takes is open, so the model could not know.
const prune = fc.constant(callCommand('Prune', () => (broker) => broker.prune(limits.batchMax)));

/** Commands of people, about a task that was sent at some time. */
function aboutTask(
  words: string,
  call: (taskId: string) => ReturnType<Parameters<typeof callCommand>[1]>,
): Arbitrary<Command> {
  return back.map((index) =>
    callCommand(`${words} ${index}`, (book) => {
      const task = recent(book.tasks, index);
      return task === undefined ? null : call(task.id);
    }),
  );
}

const cancel = aboutTask('Cancel', (taskId) => (broker) => broker.cancel({ taskIds: [taskId, taskId], reason: 'why' }));
const retry = aboutTask('Retry', (taskId) => (broker) => broker.retry([taskId]));
const remove = aboutTask('Remove', (taskId) => (broker) => broker.remove([taskId]));
const peek = fc
  .tuple(queue, fc.constantFrom(1, 3, 10))
  .map(([name, limit]) => callCommand(`Peek ${name} ${limit}`, () => (broker) => broker.peek(name, limit)));
const inspect = aboutTask('Inspect', (taskId) => (broker) => broker.inspect([taskId]));

const update = fc
  .tuple(
    back,
    maybe(1, 2, 3),
    fc.record({ queue, priority: fc.constantFrom(0, 9), delayMs, limits: rules }, { requiredKeys: [] }),
  )
  .map(([index, version, patch]) =>
    callCommand(`Update ${index} ${version} ${JSON.stringify(patch)}`, (book) => {
      const task = recent(book.tasks, index);
      return task === undefined ? null : (broker) => broker.update([{ taskId: task.id, version, patch }]);
    }),
  );

const control = fc
  .tuple(
    fc.constantFrom(['w1'], ['s1', 'w1'], ['w1', 'w1', 'w9']),
    fc.constantFrom<WorkerCommand>(
      { kind: 'drain' },
      { kind: 'resume' },
      { kind: 'stack' },
      { kind: 'restart' },
      { kind: 'scale', concurrency: 3 },
    ),
  )
  .map(([workerIds, command]) =>
    callCommand<readonly ControlResult[]>(
      `Control ${workerIds} ${command.kind}`,
      () => (broker) => broker.control(workerIds, command),
      (book, results) => book.commands.push(...results.flatMap((one) => (one.outcome === 'sent' ? [one.id] : []))),
    ),
  );

function advanceBy(...times: number[]): Arbitrary<Command> {
  return fc.constantFrom(...times).map((ms) => worldCommand(`Advance ${ms}`, (world) => world.clock.move(ms)));
}

const advance = advanceBy(1, 10, 100, 5_000, 5_000, leaseMs, leaseMs, 100_000);
/** Past every retention, and past that of events: rare, or little would be left to look at. */
const advanceFar = advanceBy(90 * 60_000, 25 * 3_600_000);
const stepBack = fc.constant(
  worldCommand('StepBack', async (world) => {
    // A store knows only the times it has stored; this makes it know the latest.
    await world.broker().configure('queue', 'a', {});
    world.clock.move(-20_000);
  }),
);
const reopen = fc.constant(worldCommand('Reopen', (world) => world.reopen()));
const loseReply = fc.constant(
  worldCommand('LoseReply', (_world, book) => {
    book.loseNext = true;
  }),
);

/** Weighted towards what makes tasks move: most runs should reach deep states. */
export const commandArbitraries: readonly Arbitrary<Command>[] = [
  enqueue,
  enqueue,
  enqueue,
  enqueue,
  enqueue,
  enqueueLinked,
  enqueueLinked,
  enqueueLinked,
  enqueueFlow,
  enqueueFlow,
  enqueueOver,
  enqueueAgain,
  restore,
  restore,
  restoreAwaited,
  enqueueAwaited,
  claim,
  claim,
  claim,
  claim,
  claim,
  heartbeat,
  heartbeat,
  settle,
  settle,
  settle,
  settleOld,
  settleAgain,
  settleJudged,
  settleJudged,
  judge,
  judge,
  promote,
  promote,
  prune,
  cancel,
  cancelFlow,
  retry,
  retryTwo,
  remove,
  update,
  control,
  ...scheduleCommands,
  ...settingCommands,
  inspect,
  peek,
  peek,
  advance,
  advance,
  advance,
  advanceFar,
  stepBack,
  reopen,
  loseReply,
  loseReply,
];
