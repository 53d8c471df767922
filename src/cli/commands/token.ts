/** `taskflow token create|list|revoke`, which is `taskflow server token …` too. Straight on the store: no server need run. */

import { rateText } from '../../core/rate-text.ts';
import {
  type CreatedTokenDocument,
  type TokenDocument,
  tokenCreate,
  tokenList,
  tokenRevoke,
} from '../../operations/token.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { rateInput } from '../rule-options.ts';
import { withSession } from '../session.ts';
import { mark, paint } from '../terminal.ts';

const view: View<TokenDocument> = {
  id: (row) => row.id,
  columns: [
    { title: 'Key', text: (row) => row.id, style: () => 'bold' },
    { title: 'State', text: (row) => row.state, style: (row) => (row.state === 'active' ? 'ok' : 'muted') },
    { title: 'Label', text: (row) => row.label, cutTo: 24 },
    { title: 'May', text: mayText, cutTo: 24 },
    { title: 'Queues', isSpare: true, text: (row) => row.queues?.join(' ') ?? 'all', cutTo: 16 },
    {
      title: 'Rate',
      isSpare: true,
      text: ({ rate }) => (rate === null ? 'as all' : rateText(rate)),
      raw: ({ rate }) => (rate === null ? '' : rateText(rate)),
    },
    { title: 'Last used', isSpare: true, text: (row) => row.lastUsedAt ?? 'never' },
    { title: 'Expires', isSpare: true, text: (row) => row.expiresAt ?? 'never' },
  ],
};

const create: CommandSpec = {
  name: 'create',
  summary: 'Make a key and show it: this once, since only a hash of it is kept',
  arguments: [{ syntax: '<label>', description: 'What it is for' }],
  options: [
    { flags: '--role <role>', description: 'For people: viewer, operator or admin (viewer when nothing is said)' },
    { flags: '--scopes <list>', description: 'For programs: read, enqueue, operate, schedule, work, admin' },
    { flags: '--queues <list>', description: 'Queues it reaches, such as email.*; all when left out' },
    {
      flags: '--rate <rate>',
      description: 'Requests in a time, such as 100/1m; what a server lets every key when left out',
    },
    { flags: '--expires-in <duration>', description: 'How long it is good; until it is revoked when left out' },
  ],
  example: "taskflow token create shop --scopes enqueue,read --queues 'email.*' --expires-in 90d",
  run: (call) =>
    withSession(call, async (session) => {
      const document = await session.ask(tokenCreate, inputOf(call));
      call.output.record({ id: (row) => row.token }, document, () => createdLines(call, document));
      call.output.note('It is not shown again. Programs send it as "Authorization: Bearer …"; people sign in with it.');
      return 0;
    }),
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the keys and what they may do, newest first',
  options: [
    { flags: '--limit <n>', description: 'At most so many' },
    { flags: '--after <id>', description: 'Those made before this one' },
  ],
  example: 'taskflow token list',
  run: (call) =>
    withSession(call, async (session) => {
      const [limit, after] = [call.text('limit'), call.text('after')];
      const { tokens, next } = await session.ask(tokenList, {
        ...(limit !== undefined && { limit }),
        ...(after !== undefined && { after }),
      });
      call.output.list(view, tokens);
      if (next !== null) call.output.note(`There are more: --after ${next}`);
      if (tokens.length === 0) call.output.note('No keys: the first server makes one and shows it.');
      return 0;
    }),
};

const revoke: CommandSpec = {
  name: 'revoke',
  summary: 'Revoke keys: within 5 seconds nobody is let in with them, nor kept in',
  arguments: [{ syntax: '<id...>', description: 'Ids as taskflow token list shows them' }],
  example: 'taskflow token revoke 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  run: (call) =>
    withSession(call, (session) =>
      askEach(call, {
        items: call.args,
        isOne: call.args.length === 1,
        ask: (id) => session.ask(tokenRevoke, { id }),
        view,
        lines: ({ id, label }) => [
          call.output.terminal.isPerson ? `Key ${id} (${label}) is revoked` : `${id}\trevoked`,
        ],
      }),
    ),
};

export const commands = [create, list, revoke];

function inputOf(call: Call): unknown {
  const [role, expiresIn, rate] = [call.text('role'), call.text('expires-in'), call.text('rate')];
  const [scopes, queues] = [call.list('scopes'), call.list('queues')];
  return {
    label: call.args[0] ?? '',
    ...(role !== undefined && { role }),
    ...(scopes.length > 0 && { scopes }),
    ...(queues.length > 0 && { queues }),
    ...(rate !== undefined && { rate: rateInput(rate) }),
    ...(expiresIn !== undefined && { expiresIn }),
  };
}

function createdLines({ output: { terminal } }: Call, document: CreatedTokenDocument): string[] {
  if (!terminal.isPerson) return [document.token];
  const expires = document.expiresAt === null ? '' : ` until ${document.expiresAt}`;
  const queues = document.queues === null ? '' : ` in ${document.queues.join(' ')}`;
  const rate = document.rate === null ? '' : `, ${rateText(document.rate)} requests`;
  return [
    `${paint(terminal, mark(terminal, 'ok'), 'ok')} Key ${document.id} (${document.label}) may ${mayText(document)}${queues}${rate}${expires}`,
    paint(terminal, document.token, 'bold'),
  ];
}

function mayText({ role, scopes }: TokenDocument): string {
  return scopes === null ? role : scopes.join(' ');
}
