/** The operation that shows what is hidden of a task. */

import type { Operation } from './operation.ts';
import type { TaskInput } from './schemas.ts';
import { taskGet } from './task.ts';
import type { TaskRecordDocument } from './task-document.ts';

/** A POST, for it leaves something: a row of the audit, which is stored before anything is shown. Throws TASK_NOT_FOUND. */
export const taskReveal: Operation<TaskInput, TaskRecordDocument> = {
  name: 'task.reveal',
  summary: 'Show one task with what is hidden of it, and write down who looked',
  role: 'admin',
  scope: 'reveal',
  rest: { method: 'POST', path: '/tasks/:id/reveal' },
  audit: 'looked at what is hidden of {id}',
  schema: taskGet.schema,
  output: taskGet.output,
  run: (context, input) => taskGet.run({ ...context, store: context.unredacted }, input),
};
