/** `taskflow limit list|set|pause|resume` */

import { rateText } from '../../core/rate-text.ts';
import { type LimitDocument, limitList, limitPause, limitResume, limitSet } from '../../operations/limit.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { pausedColumn } from '../pause-words.ts';
import { readRuleOptions, ruleOptions } from '../rule-options.ts';
import { type Session, withSession } from '../session.ts';

const limitView: View<LimitDocument> = {
  id: (limit) => limit.name,
  columns: [
    { title: 'Limit', text: (limit) => limit.name, style: () => 'bold', cutTo: 24 },
    { title: 'State', text: (limit) => limit.state, style: (limit) => (limit.state === 'paused' ? 'warning' : null) },
    { title: 'Running', align: 'right', text: (limit) => String(limit.running) },
    {
      title: 'Max',
      align: 'right',
      text: ({ max }) => (max === null ? 'by task' : String(max)),
      raw: ({ max }) => String(max ?? ''),
    },
    {
      title: 'Rate',
      align: 'right',
      text: ({ rate }) => (rate === null ? 'by task' : rateText(rate)),
      raw: ({ rate }) => (rate === null ? '' : rateText(rate)),
    },
    pausedColumn(),
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the limits that were set or paused, or that running tasks carry',
  options: [{ flags: '--from <name>', description: 'Begin with this name' }],
  example: 'taskflow limit list',
  run: (call) =>
    withSession(call, async (session) => {
      const from = call.text('from');
      const { limits, next } = await session.ask(limitList, from === undefined ? {} : { from });
      call.output.list(limitView, limits);
      if (limits.length === 0) call.output.note('No running task carries a limit, and none was set.');
      if (next !== null) call.output.note(`There are more: taskflow limit list --from '${next}'`);
      return 0;
    }),
};

const limitArguments = [{ syntax: '<limit...>', description: 'Names of limits, such as email.welcome:u_1' }];

const set: CommandSpec = {
  name: 'set',
  summary: 'Say how many tasks with a limit run at once or start in a time, whatever they say',
  arguments: limitArguments,
  options: ruleOptions,
  example: 'taskflow limit set email.welcome --max 50 --rate 100/1m',
  run(call) {
    const rules = readRuleOptions(call);
    return eachLimit(call, (session, name) => session.ask(limitSet, { name, ...rules }));
  },
};

const pause: CommandSpec = {
  name: 'pause',
  summary: 'Stop starting tasks that carry a limit; what runs goes on',
  arguments: limitArguments,
  options: [{ flags: '--reason <text>', description: 'Why; shown wherever a task with it waits' }],
  example: 'taskflow limit pause email.welcome --reason "provider is down"',
  run(call) {
    const reason = call.text('reason');
    return eachLimit(call, (session, name) =>
      session.ask(limitPause, { name, ...(reason === undefined ? {} : { reason }) }),
    );
  },
};

const resume: CommandSpec = {
  name: 'resume',
  summary: 'Start tasks that carry a paused limit again',
  arguments: limitArguments,
  example: 'taskflow limit resume email.welcome',
  run: (call) => eachLimit(call, (session, name) => session.ask(limitResume, { name })),
};

export const commands = [list, set, pause, resume];

function eachLimit(call: Call, ask: (session: Session, name: string) => Promise<LimitDocument>): Promise<number> {
  const { terminal } = call.output;
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (name) => ask(session, name),
      view: limitView,
      lines: (limit) => [
        terminal.isPerson ? `${limit.name} is ${limit.state}: ${rulesText(limit)}` : `${limit.name}\t${limit.state}`,
      ],
    }),
  );
}

function rulesText({ max, rate, running }: LimitDocument): string {
  return [
    max === null ? `${running} running, max by task` : `${running}/${max} running`,
    rate === null ? 'rate by task' : rateText(rate),
  ].join(', ');
}
