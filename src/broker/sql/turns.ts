/** Whose turn it is among the groups of a queue. Queues without groups never come here. */

import { limits } from '../../core/limits.ts';
import { type Turn, turnPrice } from '../../core/turns.ts';
import { eachStatement, manyStatement, statement } from './driver.ts';
import type { Step } from './step.ts';

/** Input: queue. */
const openRounds = eachStatement(
  'open_rounds',
  { queue: 'text' },
  (value, from) =>
    `INSERT INTO rounds (queue, turn, plain_turn, plain_since) SELECT ${value.queue}, 0, 0, 0 ${from} WHERE true ON CONFLICT (queue) DO NOTHING`,
);

/** Inputs: queue, group, now. A group with queued tasks stays where it stands. Locks: its row. */
const joinTurns = eachStatement(
  'join_turns',
  { queue: 'text', grp: 'text', now: 'bigint' },
  (value, from) => `INSERT INTO turns (queue, grp, turn, since, standing)
    SELECT ${value.queue}, ${value.grp}, (SELECT turn FROM rounds WHERE rounds.queue = ${value.queue}), ${value.now},
      CASE WHEN EXISTS (SELECT 1 FROM groups WHERE name = ${value.grp} AND paused_at IS NOT NULL) THEN 1 ELSE 0 END ${from} WHERE true
    ON CONFLICT (queue, grp) DO UPDATE SET standing = excluded.standing, since = excluded.since,
      turn = CASE WHEN excluded.turn > turns.turn THEN excluded.turn ELSE turns.turn END
    WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.queue = turns.queue AND tasks.grp = turns.grp AND state = 'queued')`,
);

/** A task that is about to be queued. */
export interface Arriving {
  readonly queue: string;
  readonly group: string | null;
}

/**
 * Tasks are about to be queued: a group of which none is queued yet begins, at the earliest, where its queue is. Must come
 * before they are written. Every way into the state `queued` goes through here, or the task would never be claimed.
 */
export async function joinRounds(step: Step, arriving: readonly Arriving[]): Promise<void> {
  const joining = new Map<string, [queue: string, group: string, now: number]>();
  for (const { queue, group } of arriving)
    if (group !== null) joining.set(`${queue}\0${group}`, [queue, group, step.now]);
  if (joining.size === 0) return;
  // Always in the same order, so that two who join do not wait for each other.
  const rows = [...joining].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
  const queues = [...new Set(rows.map(([queue]) => queue))];
  // A claim that finds nothing queued any more forgets the round: nobody joins it meanwhile.
  void step.tx.hold('settings', [''], 'shared');
  await step.tx.hold('queues', queues, 'shared');
  await step.tx.each(
    openRounds,
    queues.map((queue) => [queue]),
  );
  await step.tx.each(joinTurns, rows);
}

/** How far a queue with groups has come, and where its tasks without one stand. */
export interface Round {
  readonly queue: string;
  turn: number;
  plain: Turn;
  readonly isPaused: boolean;
  /** Whether a task of it was claimed. */
  isServed: boolean;
}

/** Input: list of queues. Who is to change them holds the names of the queues. */
const lockedRounds = statement<[queue: string, turn: number, plainTurn: number, plainSince: number, paused: number]>(
  'locked_rounds',
  (
    dialect,
  ) => `SELECT queue, turn, plain_turn, plain_since, EXISTS (SELECT 1 FROM queues WHERE name = queue AND paused_at IS NOT NULL)
    FROM rounds WHERE queue ${dialect.oneOf('$1')} ORDER BY queue`,
);

/** The rounds of those of the queues that have one. */
export async function readRounds(step: Step, queues: readonly string[]): Promise<readonly Round[]> {
  const rows = await step.tx.query(lockedRounds, JSON.stringify(queues));
  return rows.map(([queue, turn, plainTurn, plainSince, paused]) => ({
    queue,
    turn,
    plain: { turn: plainTurn, since: plainSince },
    isPaused: Boolean(paused),
    isServed: false,
  }));
}

/** Inputs: how far the queue has come, where its tasks without a group stand, queue. */
const storeRounds = eachStatement(
  'store_rounds',
  { turn: 'bigint', plainTurn: 'bigint', plainSince: 'bigint', queue: 'text' },
  (value, from, dialect) =>
    `UPDATE rounds SET turn = ${value.turn}, plain_turn = ${value.plainTurn}, plain_since = ${value.plainSince} ${from} WHERE queue ${dialect.keyed(value.queue)}`,
);

/** Of a NOT EXISTS Postgres would make a list of all that are queued. */
const firstQueued =
  "SELECT 1 FROM tasks WHERE tasks.queue = turns.queue AND tasks.grp = turns.grp AND state = 'queued' LIMIT 1";

/** Inputs: since when, queue, group, where it stands now. Those without queued tasks stand aside. The rows are there, and locked. */
const storeTurns = manyStatement(
  'store_turns',
  { since: 'bigint', queue: 'text' },
  { grp: 'text', turn: 'bigint' },
  (value, from) => `INSERT INTO turns (queue, grp, turn, since, standing)
    SELECT ${value.queue}, ${value.grp}, ${value.turn}, ${value.since}, CASE WHEN EXISTS
      (SELECT 1 FROM tasks WHERE tasks.queue = ${value.queue} AND tasks.grp = ${value.grp} AND state = 'queued') THEN 0 ELSE 2 END ${from} WHERE true
    ON CONFLICT (queue, grp) DO UPDATE SET turn = excluded.turn, since = excluded.since, standing = excluded.standing`,
);

/** Inputs: queue, group. A group whose tasks were cancelled, moved or have expired stands aside. */
const leaveTurns = eachStatement(
  'leave_turns',
  { queue: 'text', grp: 'text' },
  (value, from, dialect) =>
    `UPDATE turns SET standing = 2 ${from} WHERE ${dialect.keyedPair(['queue', 'grp'], [value.queue, value.grp])} AND (${firstQueued}) IS NULL`,
);

/** Inputs: queue, how far it has come, limit. Who stands aside and is not ahead of the queue is as one that never was. */
const dropTurns = statement(
  'drop_turns',
  (dialect) => `DELETE FROM turns WHERE queue = $1 AND grp
    ${dialect.oneFrom('SELECT grp FROM turns WHERE queue = $1 AND standing = 2 AND turn <= $2 ORDER BY turn LIMIT $3')}`,
);

/** Input: queue. */
const waitsInQueue = statement<[waits: number]>(
  'waits_in_queue',
  () => `SELECT EXISTS (SELECT 1 FROM tasks WHERE queue = $1 AND state = 'queued' AND grp IS NULL)
    OR EXISTS (SELECT 1 FROM tasks WHERE queue = $1 AND state = 'queued' AND grp IS NOT NULL)`,
);

/** Inputs: queue, limit. */
const clearTurns = statement(
  'clear_turns',
  (dialect) =>
    `DELETE FROM turns WHERE queue = $1 AND grp ${dialect.oneFrom('SELECT grp FROM turns WHERE queue = $1 LIMIT $2')}`,
);

/** Inputs: queue, price of a task. Nobody is further ahead than that, so all are level after it. Where rows are left, there is a next time. */
const levelRounds = statement(
  'level_rounds',
  () => 'UPDATE rounds SET turn = turn + $2, plain_turn = turn + $2, plain_since = 0 WHERE queue = $1',
);

/** Input: queue. */
const closeRounds = statement(
  'close_rounds',
  () => 'DELETE FROM rounds WHERE queue = $1 AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.queue = $1)',
);

/** A group as a claim of now leaves it. */
export interface ServedGroup {
  readonly turn: number;
  readonly queue: string;
  readonly group: string;
}

/** What a claim has done to the rounds it looked at. */
export interface RoundsEnd {
  readonly rounds: readonly Round[];
  readonly served: readonly ServedGroup[];
  /** Groups in which nothing was found. */
  readonly empty: readonly Pick<ServedGroup, 'queue' | 'group'>[];
}

/** Stores where everybody stands, once the claimed tasks are written; a round in which nothing is queued any more is forgotten. */
export async function endRounds(step: Step, { rounds, served, empty }: RoundsEnd): Promise<void> {
  const { tx } = step;
  for (const [queue, groups] of Map.groupBy(served, (each) => each.queue)) {
    await tx.many(
      storeTurns,
      [step.now, queue],
      groups.map(({ group, turn }) => [group, turn]),
    );
  }
  await tx.each(
    leaveTurns,
    empty.map(({ queue, group }) => [queue, group]),
  );
  await tx.each(
    storeRounds,
    rounds.filter(({ isServed }) => isServed).map(({ queue, turn, plain }) => [turn, plain.turn, plain.since, queue]),
  );
  for (const { queue, turn } of rounds) {
    const [waits] = await tx.query(waitsInQueue, queue);
    if (waits?.[0]) await tx.query(dropTurns, queue, turn, limits.batchMax);
    else await forgetRound(step, queue);
  }
}

/** Once nothing is queued there is nothing to be fair about. A part of very many rows is left to the next claims. */
async function forgetRound(step: Step, queue: string): Promise<void> {
  await step.tx.query(levelRounds, queue, turnPrice);
  await step.tx.query(clearTurns, queue, limits.batchMax);
  await step.tx.query(closeRounds, queue);
}
