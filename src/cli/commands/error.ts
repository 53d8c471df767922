/** `taskflow error list|get|retry|mute|resolve|reopen` */

import {
  type ErrorDocument,
  type ErrorGroupDocument,
  errorGet,
  errorList,
  errorRetry,
} from '../../operations/error.ts';
import { errorMark } from '../../operations/error-mark.ts';
import { askBulk, bulkOptions } from '../bulk-words.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import { errorLines } from '../error-view.ts';
import type { View } from '../output.ts';
import { given } from '../pages.ts';
import { withSession } from '../session.ts';

const view: View<ErrorGroupDocument> = {
  id: (row) => row.fingerprint,
  columns: [
    { title: 'Error', text: (row) => row.fingerprint, style: () => 'bold' },
    { title: 'Task', text: (row) => row.task, cutTo: 20 },
    { title: 'Hour', align: 'right', text: (row) => String(row.lastHour) },
    { title: 'Day', align: 'right', text: (row) => String(row.lastDay) },
    { title: 'All', align: 'right', text: (row) => String(row.count) },
    { title: 'State', text: (row) => row.mark?.as ?? 'open', style: (row) => (row.mark === null ? 'error' : 'muted') },
    { title: 'Message', text: (row) => `${row.errorName}: ${row.message}`, cutTo: 30 },
  ],
};

const fingerprints = [{ syntax: '<error...>', description: 'As taskflow error list shows them' }];

const list: CommandSpec = {
  name: 'list',
  summary: 'List failures of one kind together, the most of the last day first',
  options: [{ flags: '--limit <n>', description: 'At most so many' }],
  example: 'taskflow error list',
  run: (call) =>
    withSession(call, async (session) => {
      const { errors, looked, exact } = await session.ask(errorList, given(call, 'limit'));
      call.output.list(view, errors);
      if (errors.length === 0) call.output.note('No task that is kept has failed.');
      if (!exact) call.output.note(`From the newest ${looked.toLocaleString('en-US')} failed tasks.`);
      return 0;
    }),
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show an error with its stack and the tasks that failed so',
  arguments: fingerprints,
  example: 'taskflow error get 7f3a91c2',
  run: (call) =>
    withSession(call, (session) =>
      askEach<string, ErrorDocument>(call, {
        items: call.args,
        isOne: call.args.length === 1,
        ask: (fingerprint) => session.ask(errorGet, { fingerprint }),
        view,
        lines: (document) => errorLines(call.output.terminal, document),
      }),
    ),
};

const retry: CommandSpec = {
  name: 'retry',
  summary: 'Run all tasks again that failed so',
  arguments: [{ syntax: '<error>', description: 'As taskflow error list shows it' }],
  options: bulkOptions,
  example: 'taskflow error retry 7f3a91c2 --yes',
  run: (call) =>
    withSession(call, (session) =>
      askBulk(call, session, errorRetry, { input: { fingerprint: call.args[0] ?? '' }, words: 'Retry' }),
    ),
};

const mute: CommandSpec = {
  name: 'mute',
  summary: 'Say that errors are known: for a time they need no attention',
  arguments: fingerprints,
  options: [
    { flags: '--for <duration>', description: 'How long (default: 7d)' },
    { flags: '--reason <text>', description: 'Why; shown wherever the error is' },
  ],
  example: 'taskflow error mute 7f3a91c2 --for 2d --reason "provider is down"',
  run: (call) => markEach(call, 'muted'),
};

const resolve: CommandSpec = {
  name: 'resolve',
  summary: 'Say that errors are mended: whatever fails so from now on is new',
  arguments: fingerprints,
  options: [{ flags: '--reason <text>', description: 'What was done' }],
  example: 'taskflow error resolve 7f3a91c2 --reason "fixed in 2.1.1"',
  run: (call) => markEach(call, 'resolved'),
};

const reopen: CommandSpec = {
  name: 'reopen',
  summary: 'Take back that errors are muted or resolved',
  arguments: fingerprints,
  example: 'taskflow error reopen 7f3a91c2',
  run: (call) => markEach(call, 'open'),
};

export const commands = [list, get, retry, mute, resolve, reopen];

function markEach(call: Call, as: 'muted' | 'resolved' | 'open'): Promise<number> {
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (fingerprint) => session.ask(errorMark, { fingerprint, as, ...given(call, 'for', 'reason') }),
      view: { id: (row) => row.fingerprint, columns: [{ title: 'Error', text: (row) => row.fingerprint }] },
      lines: ({ fingerprint, mark }) => [
        call.output.terminal.isPerson
          ? `Error ${fingerprint} is ${mark?.as ?? 'open'}`
          : `${fingerprint}\t${mark?.as ?? 'open'}`,
      ],
    }),
  );
}
