/** Whether somebody may do what they ask: by their role, by what their key is for, and by the queues it reaches. */

import { reachesQueue, roles } from '../core/access.ts';
import { readDependencies } from '../core/dependency-option.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Filter, FilterTerm, FilterValue } from '../core/filter.ts';
import { endOfMoment, parseId } from '../core/ids.ts';
import { type LinkedIds, queuesOfParents } from './links.ts';
import type { Actor, Operation, OperationContext } from './operation.ts';

/** Throws FORBIDDEN where the role does not reach, SCOPE_MISSING where the key is for something else. */
export function checkGrant(
  { name, role, scope }: Pick<Operation<never, unknown>, 'name' | 'role' | 'scope'>,
  actor: Actor,
): void {
  const given = actor.scopes ?? null;
  if (given !== null && !given.includes(scope) && !given.includes('admin'))
    throw taskFlowError('SCOPE_MISSING', {
      operation: name,
      needed: scope,
      actor: actor.name,
      given: given.join(', '),
    });
  if (roles.indexOf(actor.role) < roles.indexOf(role))
    throw taskFlowError('FORBIDDEN', { operation: name, needed: role, actor: actor.name, role: actor.role });
}

/** What an operation touches: queues named by its input or by the task it names, or a list that is narrowed. */
type Touch =
  | { readonly queues: (context: OperationContext, input: Fields) => Promise<readonly string[]> }
  | { readonly narrow: (output: Fields, reaches: (queue: string) => boolean) => Fields };

type Fields = Readonly<Record<string, unknown>>;

const named: Touch = { queues: async (_context, { name }) => [String(name)] };
const ofTask: Touch = { queues: async (context, { id }) => queueOfTask(context, String(id)) };
/** Where it is, and where it is to be. */
const ofTaskAndNext: Touch = {
  queues: async (context, { id, queue }) => [
    ...(await queueOfTask(context, String(id))),
    ...(typeof queue === 'string' ? [queue] : []),
  ],
};

/** It looks at the queues of the key itself, with what it knows better. */
const own: Touch = { queues: async () => [] };

/** An operation that is not in this list may not be used with a key that is limited to queues. */
const touches: Readonly<Record<string, Touch>> = {
  'task.enqueue': { queues: (context, input) => queuesOfRequests(context, [input]) },
  'task.enqueue-many': {
    queues: (context, { tasks }) => queuesOfRequests(context, Array.isArray(tasks) ? tasks : []),
  },
  'task.list': { narrow: (output, reaches) => narrowed(output, 'tasks', 'queue', reaches) },
  'task.get': ofTask,
  'task.cancel': ofTask,
  'task.retry': ofTask,
  'task.remove': ofTask,
  'task.update': ofTaskAndNext,
  'task.move': ofTaskAndNext,
  'task.run-now': ofTask,
  'task.logs': ofTask,
  'task.result': ofTask,
  'task.explain': ofTask,
  'task.reveal': ofTask,
  // Each id for itself: those in other queues are told as such.
  'task.cancel-many': own,
  'task.retry-many': own,
  'task.remove-many': own,
  'task.result-many': own,
  'task.update-many': { queues: async (_context, { queue }) => (typeof queue === 'string' ? [queue] : []) },
  // Narrowed to the queues of the key, and found by who reaches all of these.
  'operation.create': own,
  'operation.remove-tasks': own,
  'operation.list': own,
  'operation.get': own,
  'operation.stop': own,
  'error.list': own,
  'error.get': own,
  'error.retry': own,
  'queue.list': { narrow: (output, reaches) => narrowed(output, 'queues', 'name', reaches) },
  'queue.get': named,
  'queue.peek': named,
  'queue.scale': named,
  'queue.pause': named,
  'queue.resume': named,
  'queue.limit': named,
  'queue.purge': named,
  // Changes are told by queue, and those of others left out; these two topics tell of all queues together.
  'live.follow': {
    queues: async (_context, { topics }) =>
      String(topics)
        .split(',')
        .map((topic) => topic.trim())
        .filter((topic) => topic === 'counts' || topic === 'worker'),
  },
  'worker.register': own,
  'worker.claim': own,
  'worker.heartbeat': own,
  'worker.listen': own,
  'worker.outcome': own,
  'worker.enqueue': own,
  'worker.parents': own,
  'worker.deregister': own,
};

/**
 * Checks the queues that an operation touches, and answers how its output is narrowed to those the actor reaches. Throws
 * QUEUE_FORBIDDEN for any other, and for an operation that does not say which it touches.
 */
export async function checkQueues(
  operation: string,
  context: OperationContext,
  input: unknown,
): Promise<<Output>(output: Output) => Output> {
  const queues = context.actor.queues ?? null;
  if (queues === null) return (output) => output;
  const touch = touches[operation];
  const refusal = (what: string) =>
    taskFlowError('QUEUE_FORBIDDEN', { queue: what, actor: context.actor.name, queues: queues.join(', ') });
  if (touch === undefined) throw refusal(operation);
  if ('narrow' in touch)
    return <Output>(output: Output) => touch.narrow(output as Fields, (queue) => reachesQueue(queues, queue)) as Output;
  const touched = await touch.queues(context, input as Fields);
  const other = touched.find((queue) => !reachesQueue(queues, queue));
  if (other !== undefined) throw refusal(other);
  return (output) => output;
}

/** The filter within queues of these patterns: a page of more would tell by its `next` of what it leaves out. */
export function withinQueues(filter: Filter, queues: readonly string[] | null): Filter {
  if (queues === null) return filter;
  const values = queues.map((pattern): FilterValue => {
    const [text = ''] = pattern.split('*', 1);
    // What only begins so is found by an index.
    if (pattern.slice(text.length + 1) !== '' || text === '') return { kind: 'pattern', text: pattern };
    return { kind: 'word', text, prefix: text.length < pattern.length };
  });
  const within: FilterTerm = { field: 'queue', path: [], values, negated: false, position: 0 };
  return { terms: [...filter.terms, within] };
}

/** A page as it was asked for and found. */
interface FoundPage {
  readonly after: string | null;
  readonly tasks: readonly { readonly id: string }[];
  readonly next: string | null;
}

/**
 * The cursor of a page for whoever reaches some queues only. One that is no task of the page is where a search has stopped, perhaps at a task
 * of somebody else: it is told up to its place in time, from which the next page looks on as well.
 */
export function cursorWithin(queues: readonly string[] | null, { after, tasks, next }: FoundPage): string | null {
  if (queues === null || next === null || tasks.some(({ id }) => id === next)) return next;
  const place = endOfMoment(next);
  // So many ids begin alike that the next page would be this one.
  return after !== null && place >= after ? next : place;
}

/** Empty where there is no such task: the operation says so itself. */
export async function queueOfTask({ store }: Pick<OperationContext, 'store'>, id: string): Promise<readonly string[]> {
  const taskId = readId(id);
  if (taskId === null) return [];
  const [live] = await store.broker.getTasks([taskId]);
  const task = live ?? (await store.history.task(taskId))?.task ?? null;
  return task === null ? [] : [task.queue];
}

/** As the operation will read it, in whatever form it is written. */
function readId(text: string): string | null {
  try {
    return parseId(text);
  } catch {
    return null; // The operation says so itself.
  }
}

/** Where they are to be, and where those are that they wait for. */
async function queuesOfRequests(context: OperationContext, requests: readonly Fields[]): Promise<readonly string[]> {
  const own = await Promise.all(requests.map((request) => queueOfRequest(context, request)));
  return [...own, ...(await queuesOfParents(context, requests.map(linksOf))).values()];
}

/** A list that cannot be read refuses its task: nothing waits then. */
function linksOf({ id, dependsOn }: Fields): LinkedIds {
  const own = { id: readId(String(id)) ?? '' };
  try {
    return { ...own, dependsOn: readDependencies(dependsOn, 'dependsOn') };
  } catch {
    return { ...own, dependsOn: [] };
  }
}

async function queueOfRequest({ definitions }: OperationContext, { name, queue }: Fields): Promise<string> {
  if (typeof queue === 'string') return queue;
  return (await definitions.find(String(name)))?.queue ?? 'default';
}

function narrowed(output: Fields, list: string, field: string, reaches: (queue: string) => boolean): Fields {
  const items = output[list];
  if (!Array.isArray(items)) return output;
  return { ...output, [list]: items.filter((item: Fields) => reaches(String(item[field]))) };
}
