/** prune: removes what is past its time. */

import { limits } from '../../core/limits.ts';
import { isNeeded } from './edges.ts';
import { forgetWorker } from './heartbeat.ts';
import { isUnrecorded } from './outbox.ts';
import { eraseTask, type Step } from './step.ts';

/** A process that was silent for this many times `presenceMs` has gone for good. */
const presenceFactor = 3;

export function prune(step: Step, limit: number): number {
  const { state, now } = step;
  const rows = [...state.rows.values()]
    .filter(({ leavesAt }) => leavesAt !== null && leavesAt <= now)
    .filter((row) => !isNeeded(state, row.task.id) && !isUnrecorded(state, row))
    .slice(0, Math.min(limit, limits.batchMax));
  for (const row of rows) eraseTask(step, 'prune', row);
  for (const [key, held] of state.keys) {
    if (held.until !== null && held.until <= now) state.keys.delete(key);
  }
  const flows = new Set([...state.rows.values()].map(({ task }) => task.flowId));
  for (const [flowId, { at }] of state.cancelledFlows) {
    if (at + limits.eventsKeepMs <= now && !flows.has(flowId)) state.cancelledFlows.delete(flowId);
  }
  for (const [workerId, record] of state.presences) {
    if (record.beatAt + presenceFactor * limits.presenceMs <= now) forgetWorker(step, workerId);
  }
  if (state.outbox !== null) return rows.length;
  const kept = state.events.findIndex((event) => event.at + limits.eventsKeepMs > now);
  state.events.splice(0, kept === -1 ? state.events.length : kept);
  return rows.length;
}
