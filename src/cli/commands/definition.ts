/** `taskflow definition list|get` */

import {
  type DefinitionDocument,
  type DefinitionRecordDocument,
  definitionGet,
  definitionList,
} from '../../operations/definition.ts';
import type { CommandSpec } from '../command.ts';
import { definitionLines } from '../definition-view.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { given } from '../pages.ts';
import { withSession } from '../session.ts';
import { durationWords } from '../times.ts';

const view: View<DefinitionDocument> = {
  id: (row) => row.name,
  columns: [
    { title: 'Task', text: (row) => row.name, style: () => 'bold', cutTo: 24 },
    { title: 'Queue', text: (row) => row.queue, cutTo: 16 },
    { title: 'Runs', align: 'right', text: (row) => String(row.policy.attempts) },
    {
      title: 'Timeout',
      align: 'right',
      text: (row) => (row.timeoutMs === null ? 'none' : durationWords(row.timeoutMs)),
    },
    { title: 'Workers', align: 'right', text: (row) => String(row.workers) },
    { title: 'Versions', text: (row) => (row.mismatch ? 'differ' : ''), style: () => 'warning' },
    { title: 'File', isSpare: true, text: (row) => row.file ?? '', cutTo: 20 },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the tasks that workers know, with their policy',
  options: [
    { flags: '--limit <n>', description: 'At most so many' },
    { flags: '--from <name>', description: 'Beginning with this name' },
  ],
  example: 'taskflow definition list',
  run: (call) =>
    withSession(call, async (session) => {
      const { definitions, next } = await session.ask(definitionList, given(call, 'limit', 'from'));
      call.output.list(view, definitions);
      if (next !== null) call.output.note(`There are more: --from ${next}`);
      if (definitions.length === 0)
        call.output.note('Workers tell of their tasks when they start: taskflow worker start');
      return 0;
    }),
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show a task as workers know it: policy, versions and the schema of its input',
  arguments: [{ syntax: '<task...>', description: 'Names of tasks' }],
  example: 'taskflow definition get email.welcome',
  run: (call) =>
    withSession(call, (session) =>
      askEach<string, DefinitionRecordDocument>(call, {
        items: call.args,
        isOne: call.args.length === 1,
        ask: (name) => session.ask(definitionGet, { name }),
        view,
        lines: (document) => definitionLines(call.output.terminal, document),
      }),
    ),
};

export const commands = [list, get];
