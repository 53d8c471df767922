/** `taskflow group list|weight|pause|resume` */

import { taskFlowError } from '../../core/errors.ts';
import { type GroupDocument, groupList, groupPause, groupResume, groupWeight } from '../../operations/group.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { pausedColumn } from '../pause-words.ts';
import { type Session, withSession } from '../session.ts';

const groupView: View<GroupDocument> = {
  id: (group) => group.name,
  columns: [
    { title: 'Group', text: (group) => group.name, style: () => 'bold', cutTo: 24 },
    { title: 'State', text: (group) => group.state, style: (group) => (group.state === 'paused' ? 'warning' : null) },
    { title: 'Weight', align: 'right', text: (group) => String(group.weight) },
    pausedColumn(),
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the groups that were weighed or paused',
  options: [{ flags: '--from <name>', description: 'Begin with this name' }],
  example: 'taskflow group list',
  run: (call) =>
    withSession(call, async (session) => {
      const from = call.text('from');
      const { groups, next } = await session.ask(groupList, from === undefined ? {} : { from });
      call.output.list(groupView, groups);
      if (groups.length === 0)
        call.output.note('Every group has weight 1, and none is paused: taskflow group weight NAME 3');
      if (next !== null) call.output.note(`There are more: taskflow group list --from '${next}'`);
      return 0;
    }),
};

const groupArguments = [{ syntax: '<group...>', description: 'Names of groups, as their tasks carry them' }];

const weight: CommandSpec = {
  name: 'weight',
  summary: 'Say how often the turn of a group comes: 3 is three times as often as the others',
  arguments: [
    { syntax: '<group>', description: 'Name of the group, as its tasks carry it' },
    { syntax: '<weight>', description: '1 to 1,000' },
  ],
  example: 'taskflow group weight acme 3',
  run(call) {
    const [name = '', text = ''] = call.args;
    if (!/^-?[\d.]+$/.test(text))
      throw taskFlowError('USAGE', { problem: `"${text}" is no weight.` }, { hint: 'A whole number from 1 to 1,000.' });
    return eachGroup(call, [name], (session) => session.ask(groupWeight, { name, weight: Number(text) }));
  },
};

const pause: CommandSpec = {
  name: 'pause',
  summary: 'Stop starting tasks of groups in every queue; what runs goes on',
  arguments: groupArguments,
  options: [{ flags: '--reason <text>', description: 'Why; shown wherever a task of it waits' }],
  example: 'taskflow group pause acme --reason "they asked for it"',
  run(call) {
    const reason = call.text('reason');
    return eachGroup(call, call.args, (session, name) =>
      session.ask(groupPause, { name, ...(reason === undefined ? {} : { reason }) }),
    );
  },
};

const resume: CommandSpec = {
  name: 'resume',
  summary: 'Start tasks of paused groups again',
  arguments: groupArguments,
  example: 'taskflow group resume acme',
  run: (call) => eachGroup(call, call.args, (session, name) => session.ask(groupResume, { name })),
};

export const commands = [list, weight, pause, resume];

function eachGroup(
  call: Call,
  names: readonly string[],
  ask: (session: Session, name: string) => Promise<GroupDocument>,
): Promise<number> {
  const { terminal } = call.output;
  return withSession(call, (session) =>
    askEach(call, {
      items: names,
      isOne: names.length === 1,
      ask: (name) => ask(session, name),
      view: groupView,
      lines: ({ name, state, weight: shares }) => [
        terminal.isPerson ? `${name} is ${state}, weight ${shares}` : `${name}\t${state}\t${shares}`,
      ],
    }),
  );
}
