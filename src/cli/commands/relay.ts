/** `taskflow relay list|retry|drop` */

import { type RelayDocument, relayDrop, relayList, relayRetry, type SetAsideDocument } from '../../operations/relay.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { type Session, withSession } from '../session.ts';
import { durationWords } from '../times.ts';

const view: View<SetAsideDocument> = {
  id: (task) => task.id,
  columns: [
    { title: 'Task', text: (task) => task.id, style: () => 'bold' },
    { title: 'Name', text: (task) => task.name ?? '', cutTo: 24 },
    { title: 'Enqueued', isSpare: true, text: (task) => task.enqueuedAt },
    { title: 'Problem', text: (task) => task.problem, style: () => 'error' },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the tasks of transactions that the broker does not take',
  example: 'taskflow relay list',
  run: (call) =>
    withSession(call, async (session) => {
      const document = await session.ask(relayList, {});
      call.output.list(view, document.tasks);
      tell(call, document);
      return 0;
    }),
};

const taskArguments = [{ syntax: '<id...>', description: 'Ids of tasks that were set aside' }];

const retry: CommandSpec = {
  name: 'retry',
  summary: 'Push tasks that were set aside to the broker once more',
  arguments: taskArguments,
  example: 'taskflow relay retry 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  run: (call) => eachTask(call, (session, id) => session.ask(relayRetry, { id })),
};

const drop: CommandSpec = {
  name: 'drop',
  summary: 'Forget tasks that were set aside: they are never run',
  arguments: taskArguments,
  example: 'taskflow relay drop 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  run: (call) => eachTask(call, (session, id) => session.ask(relayDrop, { id })),
};

export const commands = [list, retry, drop];

function tell({ output }: Call, { waiting, setAside, lagMs }: RelayDocument): void {
  if (waiting > 0) output.note(`${waiting} wait to be pushed, the oldest for ${durationWords(lagMs)}.`);
  if (setAside > 0) output.note('taskflow relay retry ID   pushes one once more, taskflow relay drop ID forgets it');
  if (waiting === 0 && setAside === 0)
    output.note('Nothing is on its way: tasks of transactions wait here only where the broker is not in the database.');
}

interface Done {
  readonly id: string;
  readonly outcome: string;
}

function eachTask(call: Call, ask: (session: Session, id: string) => Promise<Done>): Promise<number> {
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (id) => ask(session, id),
      view: { id: ({ id }) => id, columns: [{ title: 'Task', text: ({ id }) => id }] },
      lines: ({ id, outcome }) => [call.output.terminal.isPerson ? `${id} was ${outcome}` : `${id}\t${outcome}`],
    }),
  );
}
