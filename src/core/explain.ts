/** Says why a task waits: facts of the store turned into gates, each with who holds it, when it opens and what opens it. */
import { formatDuration } from './duration.ts';
import type { TimelineEntry } from './events.ts';
import type { Facts, LimitFact, ParentFact, Pause, WorkerFact } from './facts.ts';
import { limits } from './limits.ts';
import { nearest } from './nearest.ts';
import { isWaiting, type TaskView, viewOf } from './states.ts';
import { story } from './story.ts';

/** Every rule that can hold a task back, in the order in which they are looked at. */
export const gateCodes = [
  'no_worker',
  'unknown_task',
  'queue_paused',
  'group_paused',
  'not_due',
  'retry_wait',
  'dependency',
  'limit_paused',
  'limit',
  'rate',
  'queue_limit',
  'queue_rate',
  'schema_differs',
  'slots_full',
  'group_turn',
  'behind',
] as const;
export type GateCode = (typeof gateCodes)[number];

/** One thing a task waits for. */
export interface Gate {
  readonly code: GateCode;
  /** For people, complete: it names what is in the way. */
  readonly sentence: string;
  /** Whoever is in the way: a task's id, a person, a worker; null when nobody in particular. */
  readonly holder: string | null;
  /** When it opens by itself at the earliest, ms of the store's clock; null when nobody knows. */
  readonly earliestAt: number | null;
  /** The command that opens it, or shows more; null when there is none. */
  readonly command: string | null;
}

/** The answer to "why?": the same for the command line, the API, the dashboard. */
export interface Explanation {
  readonly taskId: string;
  readonly name: string;
  readonly view: TaskView;
  /** One sentence: the first gate, how the run stands, or how it ended. */
  readonly summary: string;
  /** What it waits for, in the order of {@link gateCodes}; empty when nothing holds it, and for running and finished tasks. */
  readonly gates: readonly Gate[];
  /** What happened so far, oldest first, as far as the task's row tells. */
  readonly timeline: readonly TimelineEntry[];
}

/** Explains one task from the facts about it. Pure and total: every task in every state gets an answer. */
export function explain(facts: Facts): Explanation {
  const { task } = facts;
  const gates = isWaiting(task.state) ? gatesOf(facts) : [];
  const { summary, timeline } = story(facts);
  return {
    taskId: task.id,
    name: task.name,
    view: viewOf(task),
    summary: gates[0]?.sentence ?? summary,
    gates,
    timeline,
  };
}

function gatesOf(facts: Facts): Gate[] {
  const { task } = facts;
  const ready = facts.workers.filter((worker) => worker.state === 'ready');
  const listening = ready.filter((worker) => worker.queues.includes(task.queue));
  const able = listening.filter((worker) => worker.taskNames.includes(task.name));
  const gates = [
    listening.length === 0 ? noWorker(facts, ready) : able.length === 0 ? unknownTask(facts, ready) : null,
    queuePaused(facts),
    groupPaused(facts),
    beforeItsTime(facts),
    ...dependencies(facts),
    ...facts.limits.flatMap((limit) => [limitPaused(facts, limit), limitFull(facts, limit), rateSpent(facts, limit)]),
    queueFull(facts),
    queueRateSpent(facts),
    schemaDiffers(facts, able),
    slotsFull(facts, listening),
    groupTurn(facts),
    behind(facts),
  ];
  return gates.filter((gate) => gate !== null);
}

function noWorker({ task, workers }: Facts, ready: readonly WorkerFact[]): Gate {
  const start = `taskflow worker start --queues ${shellWord(task.queue)}`;
  const draining = workers.filter((worker) => worker.state === 'draining' && worker.queues.includes(task.queue));
  if (draining.length > 0) {
    const names = draining.map((worker) => worker.name).join(', ');
    return gate(
      'no_worker',
      `The only worker of queue "${task.queue}" takes no more tasks: ${names} is draining.`,
      start,
      { holder: draining[0]?.workerId ?? null },
    );
  }
  const near = nearest(task.queue, new Set(ready.flatMap((worker) => worker.queues)));
  const hint =
    ready.length === 0
      ? ' No worker is running at all.'
      : near === null
        ? ''
        : ` Nearest queue with a worker: ${near}.`;
  return gate('no_worker', `No worker listens on queue "${task.queue}".${hint}`, start);
}

function unknownTask({ task }: Facts, ready: readonly WorkerFact[]): Gate {
  const elsewhere = ready.find((worker) => worker.taskNames.includes(task.name));
  if (elsewhere !== undefined) {
    const sentence = `No worker of queue "${task.queue}" knows "${task.name}"; ${elsewhere.name} does, on ${elsewhere.queues.join(', ')}.`;
    return gate('unknown_task', sentence, 'taskflow worker list', { holder: elsewhere.workerId });
  }
  const near = nearest(task.name, new Set(ready.flatMap((worker) => worker.taskNames)));
  return gate(
    'unknown_task',
    `No worker knows "${task.name}"${near === null ? '' : `; nearest: ${near}`}.`,
    'taskflow worker list',
  );
}

function queuePaused({ task, pause, now }: Facts): Gate | null {
  if (pause === null) return null;
  const sentence = `Queue "${task.queue}" was ${pausedWords(pause, now)}.`;
  return gate('queue_paused', sentence, `taskflow queue resume ${shellWord(task.queue)}`, { holder: pause.by });
}

function groupPaused({ turn: { group, pause }, now }: Facts): Gate | null {
  if (pause === null || group === null) return null;
  const sentence = `Group "${group}" was ${pausedWords(pause, now)}.`;
  return gate('group_paused', sentence, `taskflow group resume ${shellWord(group)}`, { holder: pause.by });
}

function pausedWords({ by, reason, at }: Pause, now: number): string {
  return `paused ${ago(at, now)} by ${by}${reason === null ? '' : `: ${reason}`}`;
}

function beforeItsTime({ task, now }: Facts): Gate | null {
  if (task.state !== 'scheduled') return null;
  const wait = task.dueAt > now ? `in ${formatDuration(task.dueAt - now)}` : 'now, as soon as it is moved to its queue';
  const earliestAt = task.dueAt;
  if (task.reason === 'snooze') return gate('not_due', `It snoozes and runs again ${wait}.`, null, { earliestAt });
  if (task.reason === 'unknown_task')
    return gate('not_due', `A worker that does not know it gave it back; it is tried again ${wait}.`, null, {
      earliestAt,
    });
  if (task.attempt >= 1) {
    const ended = task.reason === 'timeout' ? 'timed out' : 'failed';
    const message = task.error === null ? '' : ` (${oneLine(task.error.message)})`;
    return gate('retry_wait', `Attempt ${task.attempt} ${ended}${message}; it is tried again ${wait}.`, null, {
      earliestAt,
    });
  }
  return gate('not_due', `It is scheduled to run ${wait}.`, null, { earliestAt });
}

/** Parents told one by one; beyond, they are counted. */
const parentsToldMax = 10;

function dependencies(facts: Facts): Gate[] {
  const told = facts.parents.filter(({ edge }) => edge !== 'done').slice(0, parentsToldMax);
  const gates = told.map((parent) => dependency(facts, parent));
  const more = facts.parentsLeft - told.length;
  if (more <= 0) return gates;
  const words = `It depends on ${group(more)} more ${more === 1 ? 'task that is' : 'tasks that are'} not done.`;
  return [...gates, gate('dependency', words, `taskflow task get ${facts.task.id}`)];
}

function dependency({ task }: Facts, parent: ParentFact): Gate {
  const { taskId, state } = parent;
  const name = parent.name === null ? taskId : `${parent.name} ${taskId.slice(0, 16)}`;
  const holder = { holder: taskId };
  if (parent.edge === 'failed') {
    const ended = state === null ? 'which is gone' : state === 'failed' ? 'which failed' : `which was ${state}`;
    const sentence = `It depends on ${name}, ${ended}: it ends too, unless that task is retried within seconds.`;
    return gate('dependency', sentence, state === null ? null : `taskflow task retry ${taskId}`, holder);
  }
  if (state === null)
    return gate(
      'dependency',
      `It depends on ${name}, which is not in the store.`,
      `taskflow task cancel ${task.id}`,
      holder,
    );
  return gate('dependency', `It depends on ${name}, which is ${state}.`, `taskflow explain ${taskId}`, holder);
}

function limitPaused({ now }: Facts, { name, pause }: LimitFact): Gate | null {
  if (pause === null) return null;
  const sentence = `Limit ${name} was ${pausedWords(pause, now)}.`;
  return gate('limit_paused', sentence, `taskflow limit resume ${shellWord(name)}`, { holder: pause.by });
}

function limitFull(facts: Facts, limit: LimitFact): Gate | null {
  if (limit.max === null || limit.held < limit.max) return null;
  const [first] = limit.holders;
  const command = first === undefined ? null : `taskflow explain ${first.taskId}`;
  return gate('limit', `Limit ${limit.name} is full: ${heldWords(facts, limit)}.`, command, {
    holder: first?.taskId ?? null,
  });
}

/** All running tasks of the queue hold its limit: a worker with free slots does not help. */
function queueFull(facts: Facts): Gate | null {
  const { task, queueLimit } = facts;
  if (queueLimit === null || queueLimit.max === null || queueLimit.held < queueLimit.max) return null;
  const sentence = `Queue "${task.queue}" may run ${queueLimit.max} at once: ${heldWords(facts, queueLimit)}.`;
  return gate('queue_limit', sentence, `taskflow queue limit ${shellWord(task.queue)} --max ${queueLimit.max + 1}`, {
    holder: queueLimit.holders[0]?.taskId ?? null,
  });
}

function queueRateSpent({ task, queueLimit, now }: Facts): Gate | null {
  if (queueLimit?.tokenAt == null || queueLimit.tokenAt <= now) return null;
  const sentence = `The rate of queue "${task.queue}" is used up; the next start is allowed in ${formatDuration(queueLimit.tokenAt - now)}.`;
  return gate('queue_rate', sentence, `taskflow queue limit ${shellWord(task.queue)} --rate none`, {
    earliestAt: queueLimit.tokenAt,
  });
}

/** "1/1 held by 01K8PZP1M4EJ9C7Y (running 12 s)" */
function heldWords({ now }: Facts, limit: LimitFact): string {
  const [first] = limit.holders;
  const by =
    first === undefined
      ? ''
      : ` held by ${first.taskId.slice(0, 16)}${limit.held > 1 ? ` and ${limit.held - 1} more` : ` (running ${formatDuration(now - first.sinceAt)})`}`;
  return `${limit.held}/${limit.max}${by}`;
}

function rateSpent({ now }: Facts, limit: LimitFact): Gate | null {
  if (limit.tokenAt === null || limit.tokenAt <= now) return null;
  return gate(
    'rate',
    `The rate of ${limit.name} is used up; the next start is allowed in ${formatDuration(limit.tokenAt - now)}.`,
    null,
    { earliestAt: limit.tokenAt },
  );
}

/** A worker that publishes no schema takes any input; so does a task that was not validated. */
function schemaDiffers({ task }: Facts, able: readonly WorkerFact[]): Gate | null {
  if (task.schemaVersion === null || able.length === 0) return null;
  const accepts = able.some((worker) => worker.schemaVersion === null || worker.schemaVersion === task.schemaVersion);
  if (accepts) return null;
  const theirs = [...new Set(able.map((worker) => worker.schemaVersion))].join(', ');
  return gate(
    'schema_differs',
    `Its input was written for version ${task.schemaVersion} of "${task.name}"; every worker has another one (${theirs}).`,
    'taskflow worker list',
  );
}

function slotsFull({ task }: Facts, listening: readonly WorkerFact[]): Gate | null {
  if (listening.length === 0 || listening.some((worker) => worker.running < worker.concurrency)) return null;
  const slots = listening.reduce((sum, worker) => sum + worker.concurrency, 0);
  const whose =
    listening.length === 1
      ? `worker ${listening[0]?.name ?? ''}`
      : `the ${listening.length} workers of queue "${task.queue}"`;
  return gate(
    'slots_full',
    `${slots === 1 ? 'The only slot' : `All ${slots} slots`} of ${whose} ${slots === 1 ? 'is' : 'are'} busy.`,
    'taskflow worker list',
  );
}

function groupTurn({ task, turn }: Facts): Gate | null {
  if (task.state !== 'queued' || turn.ahead === 0) return null;
  const own = turn.group === null ? 'The tasks without a group' : `Group "${turn.group}"`;
  const first = turn.first === null ? 'the tasks without a group' : `"${turn.first}"`;
  const others = turn.ahead >= limits.aheadMax ? `${group(limits.aheadMax)}+` : group(turn.ahead - 1);
  const more = turn.ahead === 1 ? '' : ` and ${others} ${turn.ahead === 2 ? 'other' : 'others'}`;
  const sentence = `${own} ${turn.group === null ? 'are' : 'is'} served after ${first}${more} in queue "${task.queue}".`;
  const command = turn.group === null ? null : `taskflow group weight ${shellWord(turn.group)} ${turn.weight + 1}`;
  return gate('group_turn', sentence, command);
}

function behind({ task, ahead }: Facts): Gate | null {
  if (task.state !== 'queued' || ahead === 0) return null;
  const count = ahead >= limits.aheadMax ? `${group(limits.aheadMax)}+` : group(ahead);
  return gate(
    'behind',
    `${count} ${ahead === 1 ? 'task is' : 'tasks are'} ahead of it in queue "${task.queue}".`,
    'taskflow queue list',
  );
}

function gate(
  code: GateCode,
  sentence: string,
  command: string | null,
  more: { holder?: string | null; earliestAt?: number } = {},
): Gate {
  return { code, sentence, holder: more.holder ?? null, earliestAt: more.earliestAt ?? null, command };
}

function ago(at: number, now: number): string {
  return `${formatDuration(Math.max(0, now - at))} ago`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`;
}

/** 1234567 → 1,234,567 */
function group(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

function shellWord(text: string): string {
  return /^[\w.:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
