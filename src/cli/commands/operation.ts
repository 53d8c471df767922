/** `taskflow operation list|get|stop` */

import { type BulkDocument, operationGet, operationList, operationStop } from '../../operations/bulk.ts';
import type { Operation } from '../../operations/operation.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { given, noteMore, pageOptions } from '../pages.ts';
import { withSession } from '../session.ts';
import { fieldLines } from '../table.ts';
import type { Terminal } from '../terminal.ts';

const view: View<BulkDocument> = {
  id: (row) => row.id,
  columns: [
    { title: 'Operation', text: (row) => row.id, style: () => 'bold' },
    { title: 'Does', text: (row) => row.verb },
    { title: 'State', text: (row) => row.view },
    { title: 'Done', align: 'right', text: (row) => `${row.done}/${row.matched}${row.exact ? '' : '+'}` },
    { title: 'Refused', align: 'right', text: (row) => String(row.refused) },
    { title: 'By', text: (row) => row.by, cutTo: 16 },
    { title: 'Of', isSpare: true, text: (row) => row.q, cutTo: 20 },
  ],
};

const ids = [{ syntax: '<id...>', description: 'Ids as taskflow operation list shows them' }];

const list: CommandSpec = {
  name: 'list',
  summary: 'List what was done to many tasks at once, newest first',
  options: pageOptions,
  example: 'taskflow operation list',
  run: (call) =>
    withSession(call, async (session) => {
      const { operations, next } = await session.ask(operationList, given(call, 'limit', 'after'));
      call.output.list(view, operations);
      if (operations.length === 0 && next === null)
        call.output.note('Nothing was done to many tasks at once: taskflow queue purge, taskflow error retry');
      noteMore(call, next);
      return 0;
    }),
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show how far operations on many tasks are, and what they could not do',
  arguments: ids,
  example: 'taskflow operation get 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  run: (call) => eachOperation(call, operationGet, (document) => operationLines(call.output.terminal, document)),
};

const stop: CommandSpec = {
  name: 'stop',
  summary: 'Stop operations on many tasks: what is done stays, what is not is left alone',
  arguments: ids,
  example: 'taskflow operation stop 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  run: (call) =>
    eachOperation(call, operationStop, ({ id, done, matched }) => [
      call.output.terminal.isPerson ? `Operation ${id} stops: ${done} of ${matched} are done` : `${id}\tstopped`,
    ]),
};

export const commands = [list, get, stop];

function operationLines(terminal: Terminal, operation: BulkDocument): readonly string[] {
  const { id, verb, view: state, done, matched, exact, refused, failures } = operation;
  return [
    ...fieldLines(terminal, [
      { label: 'Operation', text: id },
      { label: 'Does', text: verb, style: 'bold' },
      { label: 'State', text: state, style: state },
      { label: 'Done', text: `${done} of ${matched}${exact ? '' : ' or more'}`, raw: `${done}/${matched}` },
      { label: 'Refused', text: refused === 0 ? null : String(refused), raw: String(refused) },
      { label: 'Of', text: operation.q === '' ? null : operation.q, raw: operation.q },
      { label: 'By', text: operation.by },
      { label: 'Reason', text: operation.reason, raw: operation.reason ?? '' },
      { label: 'Starts', text: operation.startsAt },
      { label: 'Finished', text: operation.finishedAt, raw: operation.finishedAt ?? '' },
      { label: 'Error', text: operation.error, raw: operation.error ?? '', style: 'error' },
    ]),
    ...failures.map(({ id: taskId, outcome }) =>
      terminal.isPerson ? `  ${taskId}   ${outcome}` : `failure\t${taskId}\t${outcome}`,
    ),
  ];
}

function eachOperation<Input>(
  call: Call,
  operation: Operation<Input, BulkDocument>,
  lines: (document: BulkDocument) => readonly string[],
): Promise<number> {
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (id) => session.ask(operation, { id }),
      view,
      lines,
    }),
  );
}
