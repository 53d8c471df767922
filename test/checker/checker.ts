/**
 * Judges the history of a run from outside, of real processes or simulated ones: what clients were promised and handlers did, against what the
 * store says happened. The rules carry the numbers of the guarantees.
 */

import { isFinished, viewOf } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';
import { checkRuns } from './handler-runs.ts';
import { checkKeys } from './keys.ts';
import { checkPauses } from './pauses.ts';
import type { ClientEntry, RunHistory } from './run-history.ts';
import { createStory, type Known, replay, type TaskStory, type Tell, type Violation } from './task-story.ts';

export type { Violation } from './task-story.ts';

/** Every broken rule. A history in which nothing was accepted or nothing ran proves nothing, and is one too. */
export function check(history: RunHistory): readonly Violation[] {
  const violations: Violation[] = [];
  const tell: Tell = (rule, taskId, sentence) => void violations.push({ rule, taskId, sentence });
  const tasks = new Map(history.tasks.map((task) => [task.id, task]));
  const client = Map.groupBy(history.client, (entry) => entry.taskId);
  const stories = replayAll(history, tasks, client, tell);
  checkPromises(tasks, stories, client, tell);
  for (const task of history.tasks) checkTask(task, stories.get(task.id), tell);
  checkStore(history, tell);
  checkRuns(history, stories, tell);
  if (history.insight !== undefined) {
    checkKeys(history.events, history.insight, tell);
    checkPauses(history.events, history.insight, tell);
  }
  if (!history.client.some(({ step }) => step === 'ok')) tell('unknown', null, 'nothing was accepted');
  if (history.effects.length === 0) tell('unknown', null, 'nothing ran');
  return violations;
}

/** Throws with the first few broken rules, and with `run`: what it takes to run the scenario again. */
export function assertValid(history: RunHistory, run = ''): void {
  const violations = check(history);
  if (violations.length === 0) return;
  const lines = violations.slice(0, 20).map(({ rule, taskId, sentence }) => `${rule} ${taskId ?? ''} ${sentence}`);
  const [worst] = violations;
  const story = history.events.flatMap((event) =>
    event.items
      .filter((item) => item.taskId === worst?.taskId)
      .map(
        (item) => `  ${event.at} ${event.kind} ${item.from} → ${item.to} ${item.reason ?? ''} attempt ${item.attempt}`,
      ),
  );
  throw new Error(
    [`${violations.length} violations: ${run}`, ...lines, `Events of ${worst?.taskId}:`, ...story].join('\n'),
  );
}

type ClientLog = ReadonlyMap<string, readonly ClientEntry[]>;
type Stories = ReadonlyMap<string, TaskStory>;

function replayAll(history: RunHistory, tasks: ReadonlyMap<string, Task>, client: ClientLog, tell: Tell): Stories {
  const stories = new Map<string, TaskStory>();
  let [seq, at] = [0, 0];
  for (const [index, event] of history.events.entries()) {
    const following = history.events[index + 1];
    if (event.seq <= seq || event.at < at) tell('S18', null, `event ${event.seq} at ${event.at} after ${seq} at ${at}`);
    [seq, at] = [event.seq, event.at];
    for (const item of event.items) {
      const story = stories.get(item.taskId) ?? createStory(item.taskId);
      stories.set(item.taskId, story);
      const asked = history.insight?.asked.get(item.taskId) ?? null;
      const known: Known = {
        asked,
        policy: tasks.get(item.taskId)?.policy ?? asked?.policy ?? null,
        delayMs: client.get(item.taskId)?.[0]?.delayMs ?? 0,
        patchedDelayMs: history.insight?.patchedDelays.get(`${item.taskId} ${item.version}`),
        mayInherit: following?.kind === 'replace' && following.at === event.at,
      };
      replay(story, event, item, known, tell);
    }
  }
  return stories;
}

/** What was accepted is there and final; what is there was asked for. */
function checkPromises(tasks: ReadonlyMap<string, Task>, stories: Stories, client: ClientLog, tell: Tell): void {
  for (const [taskId, entries] of client) {
    const isAccepted = entries.some(({ step }) => step === 'ok');
    const task = tasks.get(taskId);
    const story = stories.get(taskId);
    if (isAccepted && task === undefined && story?.removed !== true)
      tell('S1', taskId, 'it was accepted and is not there');
    if (isAccepted && story?.enqueues !== 1) tell('S1', taskId, 'it was accepted without an event of it');
    const isRefused = !isAccepted && entries.every(({ step }) => step === 'invoke' || step === 'fail');
    if (isRefused && entries.at(-1)?.step === 'fail' && task !== undefined)
      tell('S2', taskId, 'it was refused and is there');
  }
  for (const taskId of tasks.keys()) if (!client.has(taskId)) tell('S2', taskId, 'nobody asked for it');
  for (const [taskId, { removed }] of stories)
    if (!tasks.has(taskId) && !removed) tell('S1', taskId, 'it has events and is not there');
}

/** The row says what the events say, and nothing final holds anything. */
function checkTask(task: Task, story: TaskStory | undefined, tell: Tell): void {
  const says = (rule: Violation['rule'], sentence: string): void => tell(rule, task.id, sentence);
  if (!isFinished(task.state)) says('L4', `it is ${task.state} after the drain`);
  if (isFinished(task.state) && task.leaseUntil !== null) says('S11', `it is ${task.state} and has a lease`);
  if (story === undefined) {
    says('S18', 'it has no event');
    return;
  }
  if (story.state !== task.state) says('S18', `its events end in ${story.state}, the row says ${task.state}`);
  if (story.version !== task.version)
    says('S18', `its events end with version ${story.version}, the row says ${task.version}`);
  if (story.attempt !== task.attempt)
    says('S8', `its events end with attempt ${story.attempt}, the row says ${task.attempt}`);
  if (story.runs.length !== task.epoch) says('S6', `it has epoch ${task.epoch} after ${story.runs.length} claims`);
  const epoch = task.result === null ? task.epoch : (JSON.parse(task.result) as { epoch: number }).epoch;
  if (epoch !== task.epoch) says('S4', `its result is of epoch ${epoch}, its last claim was ${task.epoch}`);
}

/** Nothing is held once all is over, and what is kept is what counting gives. */
function checkStore(history: RunHistory, tell: Tell): void {
  const running = history.tasks.filter(({ state }) => state === 'running').length;
  if (history.held !== running) tell('S11', null, `claims hold ${history.held} tasks and ${running} run`);
  const recount = new Map<string, number>();
  for (const task of history.tasks) {
    const name = `${task.queue} ${task.name} ${viewOf(task)}`;
    recount.set(name, (recount.get(name) ?? 0) + 1);
  }
  for (const { queue, name, view, count } of history.counts) {
    const counted = recount.get(`${queue} ${name} ${view}`) ?? 0;
    recount.delete(`${queue} ${name} ${view}`);
    if (counted !== count)
      tell('S18', null, `the count of ${queue} ${name} ${view} is ${count}, a recount gives ${counted}`);
  }
  for (const [name, counted] of recount) tell('S18', null, `${name} is not counted, a recount gives ${counted}`);
}
