/** The operation that tells what is next in a queue: its tasks in the order in which they are claimed, each with what it waits for. */

import { internalQueue } from '../core/bulk.ts';
import { explain, type Gate, type GateCode } from '../core/explain.ts';
import type { Facts } from '../core/facts.ts';
import { isWaiting, type TaskView, viewOf } from '../core/states.ts';
import { isoTime } from '../core/time.ts';
import type { Operation, OperationContext } from './operation.ts';
import { findQueue } from './queue.ts';
import type { PeekQueueInput } from './schemas.ts';
import { type GateDocument, gateDocument } from './task.ts';

/** One task in the line of its queue. */
export interface PeekedTaskDocument {
  /** From 1 on. */
  readonly position: number;
  readonly id: string;
  readonly name: string;
  readonly view: TaskView;
  /** Whether a claim takes it now, leaves it because something holds it back, or has to wait for its time. */
  readonly stands: 'next' | 'held' | 'scheduled';
  readonly priority: number;
  /** With whose tasks it shares its turns; `null` is with all that have no group. */
  readonly group: string | null;
  readonly dueAt: string;
  /**
   * What it waits for, as `explain` says it: of one that is held back or scheduled the first thing that holds it there, of one that is next what it needs
   * of workers; `null` where that is nothing but a claim.
   */
  readonly why: GateDocument | null;
}

export interface QueuePeekDocument {
  readonly name: string;
  /** In true order: those that are next, those that are held back in the order in which they would go, those that are scheduled. */
  readonly tasks: readonly PeekedTaskDocument[];
}

const peekDefault = 20;

/** A queue that holds no task, was never configured and has no worker is QUEUE_NOT_FOUND. */
export const queuePeek: Operation<PeekQueueInput, QueuePeekDocument> = {
  name: 'queue.peek',
  summary: 'Show what is next in a queue, in the order of claims, and what each task waits for',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/queues/:name/peek' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).peekQueueInput,
  output: async () => (await import('./queue-output.ts')).queuePeekOutput,
  async run(context, { name, limit = peekDefault }) {
    const tasks = name === internalQueue ? [] : await peekedTasks(context, name, limit);
    // Only of an empty line is it asked whose it is: a look costs the store few statements.
    if (tasks.length === 0) await findQueue(context, name);
    return { name, tasks };
  },
};

async function peekedTasks(
  { store }: Pick<OperationContext, 'store'>,
  queue: string,
  limit: number,
): Promise<readonly PeekedTaskDocument[]> {
  const { next, held, scheduled } = await store.broker.peek(queue, limit);
  const line = [
    ...next.map((id) => ({ id, stands: 'next' as const })),
    ...held.map((id) => ({ id, stands: 'held' as const })),
    ...scheduled.map((id) => ({ id, stands: 'scheduled' as const })),
  ];
  if (line.length === 0) return [];
  const facts = await store.broker.inspect(line.map(({ id }) => id));
  return (
    line
      .flatMap(({ stands }, at) => {
        const found = facts[at];
        return found === undefined || found === null ? [] : [{ stands, facts: found }];
      })
      // Between the two looks one may have been claimed, or moved where the caller may not look.
      .filter(({ facts: { task } }) => isWaiting(task.state) && task.queue === queue)
      .map((each, at) => peekedTask(each, at + 1))
  );
}

function peekedTask(
  { stands, facts }: Pick<PeekedTaskDocument, 'stands'> & { readonly facts: Facts },
  position: number,
): PeekedTaskDocument {
  const { id, name, priority, group, dueAt } = facts.task;
  const gate = firstGate(explain(facts).gates, stands);
  const why = gate && gateDocument(gate);
  return { position, id, name, view: viewOf(facts.task), stands, priority, group, dueAt: isoTime(dueAt), why };
}

/** Who is before it is said by its place already. */
const ofPlace: ReadonlySet<GateCode> = new Set(['group_turn', 'behind']);
/** The same for all that stand in line. */
const ofWorkers: ReadonlySet<GateCode> = new Set(['no_worker', 'unknown_task', 'schema_differs', 'slots_full']);

function firstGate(gates: readonly Gate[], stands: PeekedTaskDocument['stands']): Gate | null {
  const own = gates.filter(({ code }) => !ofPlace.has(code));
  if (stands === 'next') return own[0] ?? null;
  // A limit that has room for those before it alone holds it back too, and says nothing yet.
  return own.find(({ code }) => !ofWorkers.has(code)) ?? own[0] ?? gates[0] ?? null;
}
