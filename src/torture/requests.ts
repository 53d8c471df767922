/** The tasks that clients under torture ask for, and what the judge must know of each. */

import type { Asked } from '../checker/evidence.ts';
import type { EnqueueOptions } from '../client/options.ts';
import type { Chance } from '../core/chance.ts';
import { definitionBrand } from '../core/definition.ts';
import type { LimitRule } from '../core/task.ts';
import { between, pick, pickWeighted, whole } from './draw.ts';
import { tasks, tick, type Work } from './tasks/work.ts';

export type TaskKind = keyof typeof tasks;

/** One task to enqueue. */
export interface Request {
  readonly kind: TaskKind;
  readonly input: Work;
  readonly options: EnqueueOptions;
  /** What the judge must know beyond the definition. */
  readonly asked: Asked;
}

/** A request with the id it has in all of its tries. */
export interface Call extends Request {
  readonly id: string;
}

/** Tasks of which one waits for the others. */
export interface Family {
  readonly parents: readonly Call[];
  readonly child: Call;
}

/** Groups of plain tasks, the first one with the most. */
export const groups = ['ada', 'bob', 'cyd'] as const;
const lanes = ['a', 'b', 'c', 'd', 'e', 'f'] as const;

/** How often each sort of work comes, and how it is made. Most of it is plain, as it is in life. */
const weights = {
  plain: 800,
  delayed: 40,
  brief: 40,
  flaky: 30,
  report: 12,
  steps: 16,
  spawn: 8,
  grouped: 60,
  isolated: 3,
  keyed: 16,
  debounced: 8,
  slots: 24,
  rated: 16,
  expiring: 8,
  snooze: 8,
  strict: 4,
  doomed: 4,
  fatal: 4,
  big: 4,
  slow: 3,
  hang: 1,
  ignore: 0.5,
  long: 0.2,
} as const;
type Sort = keyof typeof weights;

/** What a remote client sends: by name, so that nothing depends on a template. */
const remoteSorts: readonly Sort[] = ['plain', 'delayed', 'brief', 'flaky', 'snooze', 'fatal', 'big'];

export interface DrawOptions {
  readonly isRemote: boolean;
  readonly leaseMs: number;
}

export function drawRequest(chance: Chance, n: number, { isRemote, leaseMs }: DrawOptions): Request {
  const sort = pickWeighted(chance, weights);
  if (isRemote && !remoteSorts.includes(sort)) return request('plain', { n });
  const lane = pick(chance, lanes);
  switch (sort) {
    case 'plain':
      return request('plain', { n }, chance.float() < 0.1 ? { priority: whole(chance, 0, 9) as 0 } : {});
    case 'delayed':
      return delayed(chance, n);
    case 'brief':
      return request('mixed', { n, does: 'ok', ms: whole(chance, 1, 40) }, { priority: whole(chance, 0, 9) as 0 });
    case 'flaky':
      return request('mixed', { n, does: 'throw', ms: whole(chance, 0, 20), times: whole(chance, 1, 3) });
    case 'report':
      return request('mixed', { n, does: 'report', ms: whole(chance, 10, 400) });
    case 'steps':
      return request('mixed', { n, does: 'steps', ms: whole(chance, 10, 100), times: whole(chance, 0, 2) });
    case 'grouped':
      return grouped(chance, n);
    case 'spawn':
      return request('mixed', { n, does: 'spawn', times: whole(chance, 0, 2) });
    case 'isolated':
      return request('isolated', { n, does: 'ok', ms: whole(chance, 1, 60) });
    case 'keyed':
      return request('keyed', { n, lane, does: 'ok', ms: whole(chance, 0, 30) }, {}, { key: `keyed:${lane}` });
    case 'debounced':
      return debounced(chance, n, lane);
    case 'slots':
      return limited('slots', { n, lane, does: 'ok', ms: whole(chance, 1, 30) }, { max: 3, rate: null });
    case 'rated':
      return limited('rated', { n, lane }, { max: null, rate: { count: 20, perMs: 1_000 } });
    case 'expiring':
      return expiring(chance, n);
    case 'snooze':
      return request('mixed', { n, does: 'snooze', ms: whole(chance, 50, 1_500), times: whole(chance, 1, 2) });
    case 'strict':
      return request('strict', { n, does: 'ok', ms: whole(chance, 50, 1_000) }, {}, { strictCancel: true });
    case 'doomed':
      return request('mixed', { n, does: 'throw', times: 9 });
    case 'slow':
      return request('mixed', { n, does: 'ok', ms: whole(chance, 500, 3_000) });
    case 'hang':
      return request('short', { n, does: 'hang', times: whole(chance, 1, 2) });
    case 'ignore':
      return request('short', { n, does: 'ignore', ms: whole(chance, 1_000, 4_000) });
    case 'long':
      return request('mixed', { n, does: 'ok', ms: Math.round(between(chance, 1.1, 1.6) * Math.min(leaseMs, 15_000)) });
    default:
      return request('mixed', { n, does: sort });
  }
}

/** Two parents, of which one may fail for good, and what that means for their child. `next`: a new id and number. */
export function drawFamily(chance: Chance, next: () => readonly [id: string, n: number]): Family {
  const parents = [0, 1].map((): Call => {
    const [id, n] = next();
    const does = pick(chance, ['ok', 'ok', 'throw'] as const);
    return { id, ...request('mixed', { n, does, ms: whole(chance, 0, 200), times: pick(chance, [1, 9]) }) };
  });
  const [id, n] = next();
  const dependsOn = parents.map((parent) => ({
    taskId: parent.id,
    onFailure: pick(chance, ['fail', 'cancel', 'ignore'] as const),
  }));
  const asOption = dependsOn.map(({ taskId, onFailure }) => ({ task: taskId, onFailure }));
  return { parents, child: { id, ...request('mixed', { n }, { dependsOn: asOption }, { dependsOn }) } };
}

/** What the judge knows of a task by its name, and what its client said beyond that. */
export function askedOf(name: string, more: Asked | undefined): Asked {
  const policy = policies.get(name);
  return { ...(policy === undefined ? {} : { policy }), ...more };
}

const policies = new Map(
  [...Object.values(tasks), tick].map(({ name, [definitionBrand]: { policy } }) => [name as string, policy]),
);

function request(kind: TaskKind, input: Work, options: EnqueueOptions = {}, asked: Asked = {}): Request {
  return { kind, input, options, asked };
}

function delayed(chance: Chance, n: number): Request {
  const delayMs = whole(chance, 1, 5_000);
  return request('mixed', { n }, { delay: delayMs }, { delayMs });
}

function debounced(chance: Chance, n: number, lane: string): Request {
  const ifExists = pick(chance, ['debounce', 'replace'] as const);
  const [key, delayMs] = [`${ifExists}:${lane}`, whole(chance, 1, 800)];
  return request('mixed', { n, lane }, { key, ifExists, delay: delayMs }, { key, ifExists, delayMs });
}

function grouped(chance: Chance, n: number): Request {
  // Unequal loads: the turns, not the loads, decide.
  const group = groups[Math.floor(groups.length * chance.float() ** 2)] as string;
  return request('plain', { n }, { group }, { group });
}

function limited(kind: 'slots' | 'rated', input: Work, rule: Omit<LimitRule, 'name'>): Request {
  return request(kind, input, {}, { limits: [{ name: `torture.${kind}:${input.lane}`, ...rule }] });
}

function expiring(chance: Chance, n: number): Request {
  const expiresInMs = whole(chance, 200, 3_000);
  if (chance.float() < 0.5) return request('mixed', { n, does: 'ok', ms: 20 }, { startWithin: expiresInMs });
  return request('mixed', { n, does: 'ok', ms: 20 }, { expiresIn: expiresInMs }, { expiresInMs });
}
