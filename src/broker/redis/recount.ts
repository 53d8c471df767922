/** What Redis keeps beside the tasks, counted anew from them: every place in which a task is looked for, and nothing else. */

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { idLength } from '../../core/ids.ts';
import { queueOfLimit, rulesWithQueue } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import { isFinished, viewOf } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Broker } from '../broker.ts';
import { type Packed, unpack } from './packed.ts';
import { rulesText } from './rows.ts';

/** Places in a head and a row that no task shows: see lua/prelude.lua. */
const headShape = 1;
const headToken = 19;
const headAside = 23;
const rowShape = 0;
/** Two bytes say how long the rest is that a task has in common with others. */
const behindLength = 2;

interface Stored {
  readonly look: Redis;
  readonly prefix: string;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly heads: ReadonlyMap<string, readonly Packed[]>;
  readonly rows: ReadonlyMap<string, readonly Packed[]>;
  readonly keys: readonly string[];
}

/** Each difference as a sentence. */
export async function recountRedis(look: Redis, prefix: string, broker: Broker): Promise<readonly string[]> {
  const known = await allTasks(broker, await look.hkeys(`${prefix}tasks`));
  const heads = await look.hgetallBuffer(`${prefix}heads`);
  const rows = await look.hgetallBuffer(`${prefix}tasks`);
  const read = (found: Record<string, Buffer>, count: number, pick: (values: readonly Packed[]) => readonly Packed[]) =>
    new Map(Object.entries(found).map(([id, bytes]) => [id, pick(unpack(bytes, count, behindLength).values)] as const));
  const all: string[] = [];
  for await (const keys of look.scanStream({ match: '*', count: 1_000 }) as AsyncIterable<readonly string[]>)
    all.push(...keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)));
  const stored: Stored = {
    look,
    prefix,
    tasks: new Map(known.map((task) => [task.id, task])),
    heads: read(heads, 1, ([head]) => head as readonly Packed[]),
    rows: read(rows, 1, (values) => values),
    keys: [...new Set(all)],
  };
  const kept = [counts(stored), slots(stored), heldKeys(stored), queuedByRules(stored)];
  const parts = [places(stored), claims(stored), shapes(stored), asides(stored), edges(stored), owned(stored), ...kept];
  return (await Promise.all(parts)).flat();
}

async function allTasks(broker: Broker, ids: readonly string[]): Promise<readonly Task[]> {
  const tasks: (Task | null)[] = [];
  for (let from = 0; from < ids.length; from += limits.batchMax)
    tasks.push(...(await broker.getTasks(ids.slice(from, from + limits.batchMax))));
  return tasks.filter((task) => task !== null);
}

/** Two sets of names that should be equal. */
function compare(what: string, found: Iterable<string>, expected: Iterable<string>): readonly string[] {
  const [left, right] = [new Set(found), new Set(expected)];
  const surplus = [...left]
    .filter((name) => !right.has(name))
    .map((name) => `${what} has ${name}, which does not belong there`);
  return [...surplus, ...[...right].filter((name) => !left.has(name)).map((name) => `${what} lacks ${name}`)];
}

const digest = (text: string): string => createHash('sha1').update(text).digest('hex');
const idsOf = ({ tasks }: Stored, is: (task: Task) => boolean): string[] =>
  [...tasks.values()].filter(is).map(({ id }) => id);

async function counts({ look, prefix, tasks }: Stored): Promise<readonly string[]> {
  const told = (entries: Iterable<readonly [string, unknown]>): string[] =>
    [...entries].map(([name, count]) => `${name} of ${String(count)}`);
  const expected = new Map<string, number>();
  for (const task of tasks.values()) {
    const name = JSON.stringify([task.queue, task.name, viewOf(task)]);
    expected.set(name, (expected.get(name) ?? 0) + 1);
  }
  const found = Object.entries(await look.hgetall(`${prefix}counts`)).map(
    ([name, count]) => [JSON.stringify(JSON.parse(name)), count] as const,
  );
  return compare('counts', told(found), told(expected));
}

/** The slots of the limits that tasks name, and of those that all tasks of a queue carry: with nobody in them they are not there. */
async function slots({ look, prefix, tasks, keys }: Stored): Promise<readonly string[]> {
  const configured = await look.hgetall(`${prefix}limits`);
  const limited = new Set(Object.keys(configured).flatMap((name) => queueOfLimit(name) ?? []));
  const marked = Object.entries(await look.hgetall(`${prefix}queues`)).filter(([, text]) => text.startsWith('!'));
  const held = new Map<string, string[]>();
  for (const { id, queue, state, limits: rules } of tasks.values())
    for (const { name } of state === 'running' ? rulesWithQueue(rules, queue, limited) : []) {
      const holders = held.get(name) ?? [];
      held.set(name, holders);
      holders.push(id);
    }
  const names = new Map([...held.keys()].map((name) => [`slots:${digest(name)}`, name] as const));
  const found = [
    ...compare(
      'the queues that are limited',
      marked.map(([queue]) => queue),
      limited,
    ),
    ...compare(
      'the limits with slots',
      keys.filter((key) => key.startsWith('slots:')),
      names.keys(),
    ),
    ...compare(
      'limitNames',
      await look.zrange(`${prefix}limitNames`, '0', '-1'),
      [...Object.keys(configured), ...held.keys()].filter((name) => queueOfLimit(name) === null),
    ),
  ];
  for (const [key, name] of names)
    found.push(
      ...compare(`the slots of ${queueWords(name)}`, await look.smembers(`${prefix}${key}`), held.get(name) ?? []),
    );
  return found;
}

/** How many queued tasks of a queue carry which rules. */
async function queuedByRules({ look, prefix, tasks, keys }: Stored): Promise<readonly string[]> {
  const nameOf = (queue: string, text: string, count: number | string): string => `${queue} ${text} of ${count}`;
  const queued = [...tasks.values()].filter(({ state, limits: rules }) => state === 'queued' && rules.length > 0);
  const expected = Map.groupBy(queued, (task) => nameOf(digest(task.queue), String(rulesText(task.limits)), ''));
  const found: string[] = [];
  for (const key of keys.filter((name) => /^queue:\w{40}:rules$/.test(name)))
    for (const [text, count] of Object.entries(await look.hgetall(`${prefix}${key}`)))
      found.push(nameOf(key.slice('queue:'.length, -':rules'.length), text, count));
  return compare(
    'queued by rules',
    found,
    [...expected].map(([name, of]) => `${name}${of.length}`),
  );
}

function queueWords(name: string): string {
  const queue = queueOfLimit(name);
  return queue === null ? name : `queue ${queue}`;
}

/** Who holds a key without an end is unfinished and carries it. */
async function heldKeys({ look, prefix, tasks }: Stored): Promise<readonly string[]> {
  const kept = await look.hgetallBuffer(`${prefix}keys`);
  return Object.entries(kept).flatMap(([key, bytes]) => {
    const [holder] = unpack(bytes, 1).values;
    const [taskId, until] = holder as readonly Packed[];
    const task = tasks.get(String(taskId));
    const isHeld = task !== undefined && task.key === key && !isFinished(task.state);
    return typeof until === 'number' || isHeld ? [] : [`the key ${key} is held by ${String(taskId)}`];
  });
}

/** The line of a queue or of a group, and the packs of it. */
const lineName = /^(queue:\w{40}(?::group:\w{40})?)(?::packs)?$/;
/** Ids with spaces behind them: what tasks have in common is no id, and is of no use here. */
const idsOfPack = (text: string): readonly string[] => text.match(packedIds)?.[0].trim().split(' ') ?? [];
const packedIds = new RegExp(`^(?:\\w{${idLength}} )+`);

/** Where tasks are looked for by their states. */
async function places(stored: Stored): Promise<readonly string[]> {
  const { look, prefix, tasks, keys } = stored;
  const members = (name: string): Promise<string[]> => look.zrange(`${prefix}${name}`, '0', '-1');
  const lineOf = ({ queue, group }: Task): string =>
    `queue:${digest(queue)}${group === null ? '' : `:group:${digest(group)}`}`;
  const lines = Map.groupBy(
    [...tasks.values()].filter(({ state }) => state === 'queued'),
    lineOf,
  );
  const names = new Set([...lines.keys(), ...keys.flatMap((key) => lineName.exec(key)?.[1] ?? [])]);
  const found: string[] = [];
  for (const name of names)
    found.push(
      ...compare(
        name,
        [...(await members(name)), ...(await members(`${name}:packs`)).flatMap(idsOfPack)],
        (lines.get(name) ?? []).map(({ id }) => id),
      ),
    );
  const scheduled = idsOf(stored, (task) => task.state === 'scheduled');
  found.push(
    ...compare('scheduled', await members('scheduled'), scheduled),
    ...leases(stored, await members('ownLeases')),
  );
  // Those that somebody still asks for stand in no line, and who stood there with others may have gone.
  for (const id of await members('finished'))
    if (!id.includes(' ') && !isFinished(tasks.get(id)?.state ?? 'queued'))
      found.push(`finished has ${id}, which is not`);
  for (const id of await members('deadlines')) {
    const { state = 'succeeded' } = tasks.get(id) ?? {};
    if (isFinished(state)) found.push(`deadlines has ${id}, which is over`);
  }
  return found;
}

/** Who runs has the lease of its claim, or one of its own. */
function leases(stored: Stored, own: readonly string[]): readonly string[] {
  const { heads } = stored;
  const running = new Set(idsOf(stored, ({ state }) => state === 'running'));
  const alone = new Set(own);
  const lost = [...running].filter((id) => typeof heads.get(id)?.[headToken] !== 'string' && !alone.has(id));
  return [
    ...own.filter((id) => !running.has(id)).map((id) => `ownLeases has ${id}, which does not run`),
    ...lost.map((id) => `ownLeases lacks ${id}`),
  ];
}

async function claims({ look, prefix, heads, keys }: Stored): Promise<readonly string[]> {
  const counts = new Map<string, number>();
  for (const head of heads.values()) {
    const token = head[headToken];
    if (typeof token === 'string') counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  const told = (entries: Iterable<readonly [string, unknown]>): string[] =>
    [...entries].map(([token, count]) => `${token} of ${String(count)}`);
  const open = Object.entries(await look.hgetall(`${prefix}openClaims`));
  const byWorker: string[] = [];
  for (const key of keys.filter((name) => name.startsWith('worker:')))
    byWorker.push(...(await look.smembers(`${prefix}${key}`)));
  return [
    ...compare('openClaims', told(open), told(counts)),
    ...compare('claims', await look.hkeys(`${prefix}claims`), counts.keys()),
    ...compare('leases', await look.zrange(`${prefix}leases`, '0', '-1'), counts.keys()),
    ...compare('the claims of workers', byWorker, counts.keys()),
  ];
}

/** A shape is counted by the row that came with it, and by the head when that has another one. */
async function shapes({ look, prefix, heads, rows }: Stored): Promise<readonly string[]> {
  const uses = new Map<string, number>();
  const use = (shape: Packed | undefined): void => void uses.set(String(shape), (uses.get(String(shape)) ?? 0) + 1);
  for (const [id, row] of rows) {
    use(row[rowShape]);
    const own = heads.get(id)?.[headShape];
    if (own !== undefined && own !== row[rowShape]) use(own);
  }
  const told = (entries: Iterable<readonly [string, unknown]>): string[] =>
    [...entries].map(([shape, count]) => `${shape} of ${String(count)}`);
  return [
    ...compare('shapeUses', told(Object.entries(await look.hgetall(`${prefix}shapeUses`))), told(uses)),
    ...compare('shapes', await look.hkeys(`${prefix}shapes`), uses.keys()),
    ...compare('shapeIds', await look.hvals(`${prefix}shapeIds`), uses.keys()),
  ];
}

/** The texts beside the heads, by the letter that a head says it with. */
async function asides({ look, prefix, heads }: Stored): Promise<readonly string[]> {
  const named = { e: 'errors', r: 'results', p: 'progress', c: 'checkpoints', w: 'words' };
  const found: string[] = [];
  for (const [letter, name] of Object.entries(named)) {
    const expected = [...heads].filter(([, head]) => String(head[headAside]).includes(letter)).map(([id]) => id);
    found.push(...compare(name, await look.hkeys(`${prefix}${name}`), expected));
  }
  return found;
}

/** The counts by child follow from its edges, and each edge is known to its parent. */
async function edges({ look, prefix, keys }: Stored): Promise<readonly string[]> {
  const waits: string[] = [];
  const failed: string[] = [];
  const pairs: string[] = [];
  for (const key of keys.filter((name) => name.startsWith('edges:'))) {
    const child = key.slice('edges:'.length);
    const letters = await look.hgetall(`${prefix}${key}`);
    const held = Object.values(letters).filter((letter) => letter !== 'd').length;
    const lost = Object.values(letters).filter((letter) => letter === 'f').length;
    if (held > 0) waits.push(`${child} of ${held}`);
    if (lost > 0) failed.push(`${child} of ${lost}`);
    pairs.push(...Object.keys(letters).map((parent) => `${parent} > ${child}`));
  }
  const children: string[] = [];
  for (const key of keys.filter((name) => name.startsWith('children:')))
    for (const child of await look.zrange(`${prefix}${key}`, '0', '-1'))
      children.push(`${key.slice('children:'.length)} > ${child}`);
  const told = async (name: string): Promise<string[]> =>
    Object.entries(await look.hgetall(`${prefix}${name}`)).map(([child, count]) => `${child} of ${count}`);
  return [
    ...compare('waits', await told('waits'), waits),
    ...compare('failed', await told('failed'), failed),
    ...compare('children', children, pairs),
  ];
}

/** Keys of single tasks go with them, and so do those of flows. */
async function owned({ look, prefix, tasks, heads, keys }: Stored): Promise<readonly string[]> {
  const left = keys.flatMap((key) => {
    const id = /^(?:attempts|logs|edges):(.+)$/.exec(key)?.[1];
    return id === undefined || tasks.has(id) ? [] : [`${key} is left of a task that is gone`];
  });
  const lost = [...heads.keys()].filter((id) => !tasks.has(id)).map((id) => `a head is left of ${id}`);
  const ofFlows: string[] = [];
  for (const key of keys.filter((name) => name.startsWith('flow:')))
    for (const id of await look.smembers(`${prefix}${key}`)) ofFlows.push(`${key.slice('flow:'.length)} > ${id}`);
  const expected = [...tasks.values()].flatMap(({ id, flowId }) => (flowId === null ? [] : [`${flowId} > ${id}`]));
  return [...left, ...lost, ...compare('flows', ofFlows, expected)];
}
