/**
 * What most calls of an idle process come to, in one statement instead of a transaction: a claim that finds nothing, a service
 * with nothing to do. A look says that there is nothing, or leaves it to the call itself.
 */

import { limits } from '../../core/limits.ts';
import type {
  Broker,
  ClaimRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  OverdueRequest,
  PromoteAnswer,
} from '../broker.ts';
import { type Dialect, type SqlDriver, statement } from './driver.ts';
import { firstDue } from './promote.ts';
import { idList } from './rows.ts';
import type { StandingClaims } from './standing.ts';

/**
 * The broker with a look before the calls that mostly find nothing. A claim looks only behind one that found nothing, and only
 * until a signal comes: where there is work, the look would be in vain.
 */
export function lookFirst(broker: Broker, way: Way): Broker {
  const { guarded, signals, look, standing } = way;
  let quietAt = -1;
  return {
    ...broker,
    async claim(request) {
      // One that is taken back has to be made: it may be given tasks just now.
      const isBack = request.limit === 0 && standing?.leaving(request) != null;
      if (quietAt === signals() && !isBack && !(await guarded(() => look(request)))) return [];
      const claimed = await broker.claim(request);
      standing?.left(request);
      quietAt = claimed.length === 0 ? signals() : -1;
      if (claimed.length === 0) await guarded(async () => standing?.look(request));
      return claimed;
    },
    heartbeat: async (request) => (await guarded(() => announceIdle(way, request))) ?? broker.heartbeat(request),
    promote: async (limit) => (await guarded(() => lookForDue(way))) ?? broker.promote(limit),
    claimOverdue: async (request) =>
      (await guarded(() => looksOverdue(way, request))) ? broker.claimOverdue(request) : [],
  };
}

/** The time of the last event: the store's clock is never behind it. */
const lastAt = '(SELECT at FROM events ORDER BY seq DESC LIMIT 1)';

/** The clock of the store, given the time of its last event and the clock of its machine. */
export type ReadClock = (lastEventAt: number | null, wallMs: number) => number;

/** What a look needs of the broker. */
interface Way {
  readonly driver: SqlDriver;
  readonly clock: ReadClock;
  /** Refuses what comes before the broker is open and after it was closed. */
  readonly guarded: <Answer>(call: () => Promise<Answer>) => Promise<Answer>;
  readonly look: Look;
  readonly standing: StandingClaims | undefined;
  /** Grows with each signal of this process and of others. */
  readonly signals: () => number;
}

/**
 * Inputs: token, list of queues. Whether a claim may do anything: a run under its token, a queued task, a round that is to end.
 * Of times and pauses it asks nothing.
 */
export const mayClaim = (dialect: Dialect): string => `EXISTS (SELECT 1 FROM claims WHERE token = $1)
    OR EXISTS (SELECT 1 FROM tasks WHERE queue ${dialect.oneOf('$2')} AND state = 'queued' AND grp IS NULL)
    OR EXISTS (SELECT 1 FROM tasks WHERE queue ${dialect.oneOf('$2')} AND state = 'queued' AND grp IS NOT NULL)
    OR EXISTS (SELECT 1 FROM rounds WHERE queue ${dialect.oneOf('$2')})`;

const claimable = statement<[maybe: number]>('look_claimable', (dialect) => `SELECT ${mayClaim(dialect)}`);

/** Whether a claim may find or change anything. */
export type Look = (request: ClaimRequest) => Promise<boolean>;

/** One that may not stands from now on, where claims do. */
export function createLook(driver: Pick<SqlDriver, 'readOne'>, standing: StandingClaims | undefined): Look {
  const look: Look = async ({ token, queues }) => {
    const [row] = await driver.readOne(claimable, token, JSON.stringify(queues.map(({ name }) => name)));
    return Boolean(row?.[0]);
  };
  return (request) => standing?.look(request) ?? look(request);
}

/** Input: the clock as this process knows it. */
const nextDue = statement<[dueAt: number | null, lastAt: number | null, wallMs: number]>(
  'look_due',
  (dialect) => `SELECT (${firstDue(dialect)}), ${lastAt}, ${dialect.clock('$1')}`,
);

/** What `promote` answers when nothing is due; `null` when something is. */
async function lookForDue({ driver, clock }: Way): Promise<PromoteAnswer | null> {
  const [[dueAt, last, wallMs] = [null, null, 0]] = await driver.readOne(nextDue, driver.ownMs());
  if (dueAt === null) return { promoted: 0, nextInMs: null };
  const now = clock(last, wallMs);
  return dueAt > now ? { promoted: 0, nextInMs: dueAt - now } : null;
}

/**
 * Inputs: token of the judge, list of dead workers, the clock as this process knows it. The earliest times at which a waiting and a
 * running task may need a verdict.
 */
const nextCheck = statement<
  [waitingAt: number | null, runningAt: number | null, lastAt: number | null, wallMs: number, asked: number]
>(
  'look_overdue',
  (
    dialect,
  ) => `SELECT (${dialect.least('check_at', 'tasks WHERE check_at IS NOT NULL')}), (${dialect.least('check_at', 'claims')}), ${lastAt},
    ${dialect.clock('$3')},
    EXISTS (SELECT 1 FROM tasks WHERE judge_token = $1) OR EXISTS (SELECT 1 FROM claims WHERE worker_id ${dialect.oneOf('$2')})`,
);

/** Whether `claimOverdue` may find or change anything. */
async function looksOverdue({ driver, clock }: Way, request: OverdueRequest): Promise<boolean> {
  const [row] = await driver.readOne(nextCheck, request.token, idList(request.deadWorkers), driver.ownMs());
  if (row === undefined || row[4]) return true;
  const [waitingAt, runningAt, last, wallMs] = row;
  const now = clock(last, wallMs);
  return (waitingAt ?? Infinity) <= now || (runningAt ?? Infinity) <= now;
}

/**
 * Inputs: id, server, the last time that this process knows, presence, definitions (NULL keeps those that are there), how long a
 * server lives without a beat, highest command heard, the clock as this process knows it. Answers the store's now, the commands that wait, and whether a server lives. Locks: the
 * process's own row.
 */
const announce = statement<[now: number, commands: string | null, server: number]>(
  'announce_worker',
  (dialect) => `INSERT INTO workers (worker_id, server, started_at, beat_at, presence, definitions, last_command)
    SELECT $1, $2, now, now, $4, COALESCE($5, '[]'), $7
    FROM (SELECT CASE WHEN last > wall AND last > $3 THEN last WHEN wall > $3 THEN wall ELSE $3 END AS now
      FROM (SELECT ${lastAt} AS last, ${dialect.clock('$8')} AS wall) AS clocks) AS clock WHERE true
  ON CONFLICT (worker_id) DO UPDATE SET server = excluded.server, beat_at = excluded.beat_at, presence = excluded.presence,
    definitions = COALESCE($5, workers.definitions),
    last_command = CASE WHEN excluded.last_command > workers.last_command THEN excluded.last_command ELSE workers.last_command END
  RETURNING beat_at, commands,
    EXISTS (SELECT 1 FROM workers AS others WHERE others.server = 1 AND others.beat_at > workers.beat_at - $6 AND others.worker_id <> $1)`,
);

/** A heartbeat of a process that holds no lease and has nothing to say; `null` when it has to be stored and answered in full. */
async function announceIdle(
  { driver, clock }: Way,
  { worker, beats, stack, heard = 0 }: HeartbeatRequest,
): Promise<HeartbeatAnswer | null> {
  if (beats.length > 0 || stack !== undefined || worker.state === 'stopped') return null;
  const { definitions, ...rest } = worker;
  const [row] = await driver.writeOne(
    announce,
    worker.workerId,
    worker.server ? 1 : 0,
    clock(null, 0),
    JSON.stringify(rest),
    definitions === null ? null : JSON.stringify(definitions),
    limits.presenceMs,
    heard,
    driver.ownMs(),
  );
  if (row === undefined || row[1] !== null) return null;
  const [now, , server] = row;
  clock(now, now);
  return { now, beats: [], commands: [], noServer: !worker.server && !server };
}
