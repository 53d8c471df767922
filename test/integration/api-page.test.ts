/** Tests the reference of the API: every operation with all its forms, nothing from elsewhere, and no markup from data. */

import { expect, test } from 'vitest';
import { commandExamples } from '../../src/cli/command-examples.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { operations } from '../../src/operations/registry.ts';
import { startServer } from '../support/http.ts';

const server = await startServer();
const page = await (await server.get('/api')).text();

test.each(Object.values(operations).map(({ name, rest, summary }) => ({ name, rest, summary })))(
  'has $name with its address and its calls',
  ({ name, rest }) => {
    const from = page.indexOf(`id="${name}"`);
    const own = page.slice(from, page.indexOf('</details>', from));
    const [noun = '', verb = ''] = name.split('.');
    expect(from).toBeGreaterThan(0);
    expect(own).toContain(rest.path.replaceAll(/:(\w+)/g, '{$1}'));
    expect(own).toContain('Authorization: Bearer $TASKFLOW_TOKEN');
    expect(own).toContain(`client.${noun}.${verb.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase())}(`);
    expect(own).toMatch(/Answer<\/h3><pre>[[{]/);
  },
);

test('takes nothing from another origin, and needs no script', () => {
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(page).not.toMatch(/ style="| on[a-z]+="/);
  expect(page).toContain('href="./openapi.json"');
});

test('shows the command line where there is a command', async () => {
  const commands = await commandExamples();
  expect(commands['queue.pause']).toMatch(/^taskflow queue pause /);
  const route = createPages({ version: '0', commands: async () => commands }).routes.find(
    ({ path }) => path === '/api',
  );
  const { store, actor } = server.context;
  const context = { clock: { now: () => 0 }, store, actor } as Parameters<NonNullable<typeof route>['answer']>[1];
  const answer = await route?.answer(
    { path: '/api', root: './', params: {}, query: {}, form: {}, choices: {} },
    context,
  );
  expect(await answer?.text()).toContain('taskflow queue pause');
});
