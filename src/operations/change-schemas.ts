/** The schemas of inputs that change tasks: one, several at once, or what a filter finds. Loaded lazily, as schemas.ts is. */

import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { duration, priority, taskId, taskLimit, text } from './schemas.ts';

const reason = z.string().max(limits.errorMessageMax).optional();
const taskIds = z
  .array(taskId)
  .min(1)
  .max(limits.pageMax)
  .describe('Ids of tasks; one that is there twice counts once');

const change = {
  queue: text(limits.nameMax).optional().describe('The queue it moves to'),
  priority: priority.optional(),
  delay: duration.optional().describe('Wait this long from now; 0 runs it now'),
  at: z.string().max(40).optional().describe('Do not run before this time'),
  limits: z.array(taskLimit).max(limits.limitsPerTaskMax).optional().describe('In place of those it has'),
  tags: z.array(text(limits.nameMax)).max(limits.tagsMax).optional().describe('In place of those it has'),
};

export const updateInput = z.strictObject({
  id: taskId,
  version: z.int().min(1).optional().describe('Refuse the change when the task has another version by now'),
  ...change,
});
export const moveInput = z.strictObject({ id: taskId, queue: text(limits.nameMax) });
export const idsInput = z.strictObject({ ids: taskIds });
export const cancelManyInput = z.strictObject({ ids: taskIds, reason });
export const updateManyInput = z.strictObject({ ids: taskIds, ...change });

export type UpdateInput = z.output<typeof updateInput>;
export type MoveInput = z.output<typeof moveInput>;
export type IdsInput = z.output<typeof idsInput>;
export type CancelManyInput = z.output<typeof cancelManyInput>;
export type UpdateManyInput = z.output<typeof updateManyInput>;
/** What may be changed of a task that waits. */
export type ChangeInput = Omit<UpdateManyInput, 'ids'>;
