/** Runs one seed: a time of faults, then healing, then everything must come to its end, and all of it is judged. */

import type { Violation } from '../../src/checker/verdict.ts';
import { explain } from '../../src/core/explain.ts';
import { limits } from '../../src/core/limits.ts';
import type { Task } from '../../src/core/task.ts';
import { judge, type RunHistory } from '../checker/run-history.ts';
import { scheduleNames } from './code-schedules.ts';
import { unleash } from './nemesis.ts';
import { groupNames, limitNames } from './requests.ts';
import { createWorld, heal, type World, type WorldOptions } from './world.ts';

export interface Verdict {
  readonly options: WorldOptions;
  readonly violations: readonly Violation[];
  /** Why the seed proves nothing although nothing is wrong. */
  readonly doubts: readonly string[];
  /** What led to the first violation that the judge found. */
  readonly context: readonly string[];
  /** Why each task waits that should be final by now. */
  readonly waiting: readonly string[];
  /** What is left when all is over, by id. */
  readonly tasks: readonly Task[];
  /** What happened without what was answered, the same for the same seed on every store that hints alike. */
  readonly story: readonly string[];
  /** With `trace`: everything that happened, the same for the same seed. */
  readonly lines: readonly string[];
  /** What happened, counted: transitions, answers and faults. */
  readonly counts: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

/** Longest that a healed world may take: what is delayed, backs off and times out included. */
const livenessMs = 30 * 60_000;
/** Servers that died are taken for living ones for a while; then a worker fires the schedules. */
const keepingUpMs = 2 * limits.presenceMs;
/** Calls that were under way when the world was healed have arrived after this. */
const settledMs = 25_000;

export async function simulate(options: WorldOptions): Promise<Verdict> {
  const world = await createWorld(options);
  const { timeline, witness, swarm } = world;
  try {
    unleash(world);
    await timeline.run(swarm.safetyMs);
    heal(world);
    await timeline.run(timeline.now + settledMs);
    await resumeAll(world);
    await endSchedules(world);
    await timeline.run(timeline.now + livenessMs, () => witness.open.size === 0);
    const history = await historyOf(world);
    if (options.trace === true) world.lines.push(...history.events.map((event) => JSON.stringify(event)));
    const { violations, doubts, context } = judge(history);
    const recounted = await world.store.recount();
    return {
      options,
      violations: [
        ...world.violations,
        ...violations,
        ...recounted.map((sentence) => ({ rule: 'S21', taskId: null, sentence }) as const),
      ],
      doubts,
      context,
      waiting: await whyWaiting(world),
      tasks: history.tasks,
      story: world.story,
      lines: world.lines,
      counts: { ...witness.counts, ...world.network.faults, steps: timeline.steps },
      virtualMs: timeline.now,
    };
  } finally {
    await world.close();
  }
}

/** In a healthy world every schedule keeps up with its time. Then they have to go, or there would never be an end. */
async function endSchedules({ swarm, timeline, witness }: World): Promise<void> {
  if (swarm.schedules === 0) return;
  await timeline.run(timeline.now + keepingUpMs);
  witness.schedulesStandStill();
  await witness.execute('schedules.delete', [scheduleNames]);
}

/** Nothing that a person has set holds anything back for ever. */
async function resumeAll({ store: { broker }, witness }: World): Promise<void> {
  const open = { pause: null, max: null, rate: null };
  for (const { name } of await broker.getQueues()) await witness.execute('configure', ['queue', name, open]);
  for (const name of groupNames) await witness.execute('configure', ['group', name, { pause: null }]);
  for (const name of limitNames) await witness.execute('configure', ['limit', name, open]);
}

async function historyOf({ store, witness, client, effects, processes }: World): Promise<RunHistory> {
  const { events, settings, patches, refusals } = witness;
  return {
    events,
    settings,
    patches,
    refusals,
    tasks: await tasksOf(store, await store.taskIds()),
    counts: await store.counts(),
    held: await store.held(),
    client,
    effects,
    processes: processes.flatMap((process) => process.fates()),
    heldKeys: await store.heldKeys(),
  };
}

async function tasksOf({ broker }: World['store'], ids: readonly string[]): Promise<readonly Task[]> {
  const tasks: (Task | null)[] = [];
  for (let from = 0; from < ids.length; from += limits.batchMax)
    tasks.push(...(await broker.getTasks(ids.slice(from, from + limits.batchMax))));
  return tasks.filter((task) => task !== null);
}

async function whyWaiting({ store, witness }: World): Promise<readonly string[]> {
  const facts = await store.broker.inspect([...witness.open].slice(0, limits.batchMax));
  return facts
    .filter((one) => one !== null)
    .map((one) => `${one.task.id} is ${one.task.state}: ${explain(one).summary}`);
}

/** The command that runs it again. */
export function replayCommand({ seed, store, mutation }: WorldOptions): string {
  const bent = mutation === undefined ? '' : ` --mutation ${mutation.name}`;
  return `npm run sim -- --seed ${seed} --store ${nameOf(store)}${bent} --trace`;
}

function nameOf(store: WorldOptions['store']): string {
  return typeof store === 'string' ? store : store.name;
}

/** What is wrong with a run, in lines for people; nothing for a good one. */
export function complaintsOf(verdict: Verdict): readonly string[] {
  const { violations, doubts, waiting, context, options } = verdict;
  if (violations.length === 0 && doubts.length === 0) return [];
  const shown = violations.slice(0, 20).map(({ rule, taskId, sentence }) => `  ${rule} ${taskId ?? ''} ${sentence}`);
  return [
    `seed ${options.seed} on ${nameOf(options.store)}: ${violations.length} violations`,
    ...doubts.map((doubt) => `  unknown ${doubt}`),
    ...shown,
    ...context.map((line) => `    ${line}`),
    ...waiting.slice(0, 20).map((line) => `  waits: ${line}`),
    `  again: ${replayCommand(options)}`,
  ];
}
