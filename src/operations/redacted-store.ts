/** The store as people see it: what is read of it comes without what is hidden. The one place where that is taken out. */

import type { Broker } from '../broker/broker.ts';
import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { overlay } from '../core/overlay.ts';
import { createRedaction, type RedactionOf } from '../core/redact.ts';
import { createScrub, redactAttempt, redactLine, redactListed, redactTask } from '../core/redact-task.ts';
import type { Task } from '../core/task.ts';
import type { History, Store, TaskRecord } from '../history/history.ts';

/**
 * Everything that operations read for people: tasks, what is known of them, and searches. What workers claim, what is written,
 * and schedules, of which tasks are made, are the store's own. `paths` are those of this server, `redactionOf` those with what tasks say themselves.
 */
export function redactedStore(store: Store, paths: readonly string[], redactionOf: RedactionOf): Store {
  const { broker, history } = store;
  const show = (task: Task): Task => shownTask(task, redactionOf);
  const shown: Pick<Broker, 'getTasks' | 'inspect'> = {
    getTasks: async (taskIds) => (await broker.getTasks(taskIds)).map((task) => task && show(task)),
    inspect: async (taskIds) =>
      (await broker.inspect(taskIds)).map((facts) => {
        const task = facts && show(facts.task);
        return facts === null || task === facts.task ? facts : { ...facts, task: task ?? facts.task };
      }),
  };
  const search: History['search'] = (filter, page) => {
    checkFilter(filter, paths);
    return history.search(filter, { ...page, show: (task) => listedTask(task, redactionOf) });
  };
  const task: History['task'] = async (taskId) => {
    const record = await history.task(taskId);
    return record && shownRecord(record, redactionOf);
  };
  return overlay(store, { broker: overlay(broker, shown), history: overlay(history, { search, task }) });
}

/** What is TaskFlow's own holds no input of anybody. */
function shownTask<Shown extends Task>(task: Shown, redactionOf: RedactionOf): Shown {
  const redaction = task.queue === internalQueue ? null : redactionOf(task.policy);
  return redaction === null ? task : redactTask(task, redaction);
}

function listedTask(task: Task, redactionOf: RedactionOf): Task {
  const redaction = task.queue === internalQueue ? null : redactionOf(task.policy);
  return redaction === null ? task : redactListed(task, redaction);
}

function shownRecord(record: TaskRecord, redactionOf: RedactionOf): TaskRecord {
  const { task } = record;
  const redaction = task.queue === internalQueue ? null : redactionOf(task.policy);
  if (redaction === null) return record;
  const scrub = createScrub(redaction, task.payload);
  const logs = record.logs.map((line) => redactLine(line, redaction, scrub));
  if (scrub === null) return { ...record, task: redactTask(task, redaction), logs };
  return {
    task: redactTask(task, redaction),
    attempts: record.attempts.map((attempt) => redactAttempt(task, attempt, scrub)),
    logs,
    notes: record.notes.map((note) => ({ ...note, text: scrub(note.text) })),
    timeline: record.timeline.map((entry) => ({ ...entry, text: scrub(entry.text) })),
  };
}

/** A search by what is hidden would tell it, one guess after the other. */
function checkFilter({ terms }: Filter, paths: readonly string[]): void {
  const redaction = createRedaction(paths);
  if (redaction === null) return;
  for (const { field, path } of terms) {
    const root = field === 'input' ? 'input' : field === 'output' ? 'result' : null;
    if (root !== null && redaction.hides(root, path))
      throw taskFlowError('REDACTED_FIELD', { path: [field, ...path].join('.') });
  }
}
