/** `taskflow flow list|get|cancel` */

import { taskViews } from '../../core/states.ts';
import { type FlowDocument, flowCancel, flowGet, flowList } from '../../operations/flow.ts';
import type { CancelDocument } from '../../operations/task.ts';
import type { CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import { readIds } from '../ids.ts';
import { withSession } from '../session.ts';
import { taskView } from '../task-view.ts';
import { glyphOf, mark, paint, type Terminal } from '../terminal.ts';

const idArguments = [{ syntax: '<id...>', description: 'Ids of flows, whole or their first 8 or more characters' }];

const list: CommandSpec = {
  name: 'list',
  summary: 'List the flows, newest first',
  options: [
    { flags: '--limit <n>', description: 'Rows of one page (default: 50)' },
    { flags: '--after <cursor>', description: 'Where the page before ended' },
  ],
  example: 'taskflow flow list',
  run: (call) =>
    withSession(call, async (session) => {
      const [limit, after] = [call.text('limit'), call.text('after')];
      const { flows, next } = await session.ask(flowList, {
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
      });
      call.output.list(taskView, flows);
      if (flows.length === 0)
        call.output.note('There are no flows. One begins when its name is enqueued: taskflow run NAME');
      if (next !== null) call.output.note(`more: --after ${next}`);
      return 0;
    }),
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show flows with their tasks by state, and what each of them waits for',
  arguments: idArguments,
  example: 'taskflow flow get 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    withSession(call, async (session) => {
      const items = await readIds(call, session);
      return askEach(call, {
        items,
        isOne: items.length === 1,
        ask: (id) => session.ask(flowGet, { id }),
        view: { id: ({ flow }: FlowDocument) => flow.id, columns: [] },
        lines: (document) => flowLines(call.output.terminal, document),
      });
    }),
};

const cancel: CommandSpec = {
  name: 'cancel',
  summary: 'Cancel flows with everything in them',
  arguments: idArguments,
  options: [{ flags: '--reason <text>', description: 'Why; shown with each of the tasks' }],
  example: 'taskflow flow cancel 01K8Q2M4ZJ7F0C7Y --reason "wrong file"',
  run: (call) =>
    withSession(call, async (session) => {
      const items = await readIds(call, session);
      const reason = call.text('reason');
      const { terminal } = call.output;
      return askEach(call, {
        items,
        isOne: items.length === 1,
        ask: (id) => session.ask(flowCancel, { id, ...(reason === undefined ? {} : { reason }) }),
        view: { id: ({ id }: CancelDocument) => id, columns: [] },
        lines: ({ id, outcome }) => [terminal.isPerson ? `${id} is ${outcome}` : `${id}\t${outcome}`],
      });
    }),
};

export const commands = [list, get, cancel];

function flowLines(terminal: Terminal, { flow, counts, tasks, more }: FlowDocument): string[] {
  const rows = tasks.map(({ id, name, view, waitsFor }) => ({ id, name, view, waitsFor }));
  if (!terminal.isPerson)
    return [
      `${flow.view}\t${flow.name}\t${flow.id}`,
      ...rows.map(({ view, name, id, waitsFor }) => [view, name, id, waitsFor ?? ''].join('\t')),
    ];
  const dot = mark(terminal, 'dot');
  const told = taskViews.flatMap((view) => (counts[view] === undefined ? [] : [`${counts[view]} ${view}`]));
  return [
    `${paint(terminal, `${glyphOf(terminal, flow.view)} ${flow.view}`, flow.view)}   ${paint(terminal, flow.name, 'bold')}   ${flow.id}`,
    `  ${told.length === 0 ? 'no tasks yet' : told.join(` ${dot} `)}`,
    ...rows.map(({ view, name, id, waitsFor }) => {
      const why = waitsFor === null ? '' : `   ${paint(terminal, waitsFor, 'muted')}`;
      return `  ${paint(terminal, glyphOf(terminal, view), view)} ${name}   ${id}${why}`;
    }),
    ...(more ? [`  more: taskflow task list --filter flow:${flow.id}`] : []),
  ];
}
