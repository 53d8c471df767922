/** What a request takes off the budget of its caller: 1, and more where it costs the store more than a look at one thing. */

import { limits } from '../core/limits.ts';
import type { OperationName } from '../operations/registry.ts';

/** Of pages, which ask for several things. */
export const pageCost = 10;

/** By operation; what is not here costs 1. */
export const costs: Readonly<Partial<Record<OperationName, number>>> = {
  // Up to a thousand tasks in one call.
  'task.enqueue-many': 10,
  'worker.enqueue': 10,
  'task.cancel-many': 10,
  'task.retry-many': 10,
  'task.remove-many': 10,
  'task.update-many': 10,
  // Up to a hundred, which are looked for in the record too, one by one.
  'task.result-many': 10,
  // It may go on where it was, and read the log from there.
  'live.follow': 5,
  // They look through many rows, and may go on for seconds.
  'task.list': 20,
  'error.list': 50,
  'error.get': 50,
  'error.mark': 50,
  'error.retry': 200,
  'operation.create': 200,
  'operation.remove-tasks': 200,
  'queue.purge': 200,
  'schedule.backfill': 50,
  // A page of a list.
  'flow.list': 10,
  'flow.cancel': 10,
  'audit.list': 10,
  'group.list': 5,
  'limit.list': 5,
  'queue.list': 5,
  // As much as a claim of so many.
  'queue.peek': 10,
  'worker.list': 5,
  'definition.list': 5,
  'operation.list': 10,
  'stats.timeline': 10,
  'stats.depth': 10,
  'system.activity': 10,
  'system.metrics': 10,
  'system.signs': 10,
};

/** Of a route by its operation; `null` is a page. */
export function costOf(operation: string | null): number {
  return operation === null ? pageCost : (costs[operation as OperationName] ?? 1);
}

/** Small ones of them go together into one step of the store, and must not wait for each other. */
const gathered: ReadonlySet<string | null> = new Set<OperationName>(['task.enqueue-many', 'worker.enqueue']);

/** What is little work as a rule, and as much as a list where a task carries a megabyte. */
const large: ReadonlySet<string | null> = new Set<OperationName>(['task.get', 'task.result', 'task.logs']);

/** Whether it is so much work that others should have their turn before the next of the same caller. */
export function takesTurns(operation: string | null): boolean {
  return (costOf(operation) >= limits.turnCostMin && !gathered.has(operation)) || large.has(operation);
}
