/** `taskflow audit list` */

import { type AuditDocument, auditList } from '../../operations/audit.ts';
import type { CommandSpec } from '../command.ts';
import type { View } from '../output.ts';
import { given, noteMore, pageOptions } from '../pages.ts';
import { withSession } from '../session.ts';

const view: View<AuditDocument> = {
  id: (row) => row.id,
  columns: [
    { title: 'At', text: (row) => row.at, style: () => 'muted' },
    { title: 'Who', text: (row) => row.actor, style: () => 'bold', cutTo: 20 },
    { title: 'Operation', text: (row) => row.operation },
    {
      title: 'Outcome',
      text: (row) => row.outcome ?? 'begun',
      style: (row) => (row.outcome === 'done' ? 'ok' : 'warning'),
    },
    { title: 'What', text: (row) => row.text, cutTo: 30 },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List who did what, newest first',
  options: [
    { flags: '--who <name>', description: 'Of this person or key alone' },
    { flags: '--operation <name>', description: 'Such as queue.pause' },
    { flags: '--from <time>', description: 'Not before this time' },
    { flags: '--to <time>', description: 'Before this time' },
    ...pageOptions,
  ],
  example: 'taskflow audit list --operation queue.pause',
  run: (call) =>
    withSession(call, async (session) => {
      const { rows, next } = await session.ask(
        auditList,
        given(call, 'who', 'operation', 'from', 'to', 'limit', 'after'),
      );
      call.output.list(view, rows);
      if (rows.length === 0 && next === null) call.output.note('There is no row of the audit that is so.');
      noteMore(call, next);
      return 0;
    }),
};

export const commands = [list];
