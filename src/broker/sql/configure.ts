/** configure: pauses and resumes, sets what queues and limits allow and what groups weigh. */

import { checkSettings } from '../../core/settings.ts';
import type { Scope, Settings } from '../broker.ts';
import { statement } from './driver.ts';
import { configureGroup } from './groups.ts';
import { configureLimit } from './limits.ts';
import { configureQueueLimit } from './queue-limits.ts';
import type { Step } from './step.ts';

/** Input: name. */
const knownQueue = statement<[pausedAt: number | null]>(
  'known_queue',
  () => 'SELECT paused_at FROM queues WHERE name = $1',
);

/** Inputs: name, when, by whom, why. Locks: the row. */
const pauseQueue = statement(
  'pause_queue',
  () => `INSERT INTO queues (name, paused_at, paused_by, pause_reason) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, pause_reason = excluded.pause_reason`,
);

/** Input: name. */
const noteQueue = statement('note_queue', () => 'INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO NOTHING');

export async function configure(step: Step, scope: Scope, name: string, settings: Settings): Promise<void> {
  checkSettings(scope, name, settings);
  step.configured = true;
  // Whoever claims, settles or queues tasks with a group does it before or after, not by settings that are being changed.
  await step.tx.hold('settings', [''], 'alone');
  if (scope === 'limit') await configureLimit(step, name, settings);
  else if (scope === 'group') await configureGroup(step, name, settings);
  else await configureQueue(step, name, settings);
}

async function configureQueue(step: Step, name: string, { pause, max, rate }: Settings): Promise<void> {
  const [known] = await step.tx.query(knownQueue, name);
  if (pause === undefined) await step.tx.query(noteQueue, name);
  else await step.tx.query(pauseQueue, name, pause && step.now, pause?.by ?? null, pause?.reason ?? null);
  if (max !== undefined || rate !== undefined)
    await configureQueueLimit(step, name, { ...(max !== undefined && { max }), ...(rate !== undefined && { rate }) });
  if (pause === null && known !== undefined && known[0] !== null) step.resumed.push(name);
}
