/** Lets secrets of every kind go through real processes at the level debug, and failures of every kind, and finds none of them again. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { operations } from '../../src/operations/registry.ts';
import { type Child, createScenario, type Scenario, until } from './processes.ts';

const define = fileURLToPath(new URL('../../src/client/define.ts', import.meta.url));
const canary = 'C4NARY';
/** Of a server and its worker: all they may say, and a secret where there could be one. */
const env = {
  TASKFLOW_LOG_LEVEL: 'debug',
  TASKFLOW_LOG_FORMAT: 'json',
  TASKFLOW_REDACT: '**.note',
  TASKFLOW_SERVER_PORT: '0',
  TASKFLOW_SERVER_AUTH: 'token',
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=${canary}-otlp`,
  PGPASSWORD: `${canary}-pg`,
};

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

/** Hides one field itself, another is hidden by the configuration; it says both wherever it can, and fails. */
const task = `
import { task } from ${JSON.stringify(define)};
export const pay = task('pay.charge', {
  input: { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } },
  retry: 1,
  redact: ['input.card'],
  async run({ card, note, apart }, ctx) {
    ctx.log.info('charging ' + card, { card, note });
    ctx.progress(1, 2, 'at ' + note);
    if (apart === 'stray') setTimeout(() => { throw new Error('later ' + card); }, 1);
    if (apart === 'stray') await new Promise((resolve) => setTimeout(resolve, 50));
    throw new TypeError('refused ' + card + ' ' + note, { cause: new Error('bank says ' + card) });
  },
});
export const apart = task('pay.apart', {
  input: { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } },
  retry: 1,
  isolate: 'process',
  redact: ['input.card'],
  run({ card }) {
    console.error('printed ' + card);
    throw new Error('refused ' + card);
  },
});
`;

const told = (child: Child): string => child.output() + child.complaints();

/** The command lines of a process and of those that it started, as everybody on the machine sees them. */
function titlesOf(pid: number): string {
  const titles: string[] = [];
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1];
      if (entry === String(pid) || parent === String(pid)) titles.push(readFileSync(`/proc/${entry}/cmdline`, 'utf8'));
    } catch {
      // It has ended meanwhile.
    }
  }
  return titles.join('\n');
}

test('a whole session tells none of them: not in a log, an answer, a page, a metric or the title of a process', {
  timeout: 240_000,
}, async () => {
  mkdirSync(join(scenario.folder, 'tasks'));
  writeFileSync(join(scenario.folder, 'tasks/pay.mjs'), task);
  const made = scenario.command(['token', 'create', 'root', '--role', 'admin', '--json'], { env });
  await made.exited;
  const token = /tf_user_\w+/.exec(made.output())?.[0] ?? '';
  expect(token.length).toBeGreaterThan(30);
  const up = scenario.command(['up', '--no-reload', '--tasks', 'tasks', '-o', 'jsonl'], { env });
  const { url } = (await up.heard('ready')) as unknown as { url: string };

  const answers: string[] = [];
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(url + path, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(60_000),
      ...init,
    });
    answers.push(
      `${path} ${response.status} ${JSON.stringify([...response.headers])} ${await response.clone().text()}`,
    );
    return response;
  }
  const post = (path: string, body: unknown, more: Readonly<Record<string, string>> = {}) =>
    ask(path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { ...headers, ...more },
    });

  const ids: string[] = [];
  for (const [name, apart] of [
    ['pay.charge', 'no'],
    ['pay.charge', 'stray'],
    ['pay.apart', 'no'],
  ] as const) {
    const input = { card: `${canary}-card`, note: `${canary}-note`, apart };
    const response = await post('/api/v1/tasks', { name, input });
    expect(response.status).toBe(201);
    ids.push(((await response.json()) as { id: string }).id);
  }
  await until('all have failed', async () => {
    const states = await Promise.all(
      ids.map(async (id) => (await (await ask(`/api/v1/tasks/${id}`)).json()) as { state: string }),
    );
    return states.every(({ state }) => state === 'failed');
  });

  for (const { rest } of Object.values(operations)) {
    if (rest.method !== 'GET' || rest.path === '/live') continue;
    const path = rest.path.replace('/tasks/:id', `/tasks/${ids[0]}`).replace(/:\w+/, 'default');
    await ask(`/api/v1${path}`);
  }
  for (const path of [
    '/',
    '/tasks',
    '/schedules',
    `/tasks/${ids[0]}`,
    `/tasks/${ids[1]}`,
    '/metrics',
    '/openapi.json',
    '/nothing',
  ])
    await ask(path);
  // Wrong in every way there is, each with a secret in it.
  await post('/api/v1/tasks', `{"name":"pay.charge","input":{"card":"${canary}-broken`);
  await post('/api/v1/tasks', { name: 'pay.charge', input: { card: '[redacted]' } });
  await post('/api/v1/tasks', { name: 'pay.charge', input: { note: '[redacted]' } });
  await ask('/api/v1/tasks', { headers: { authorization: `Bearer tf_user_01M8CDW04GEVQRKCJVVJ4BMT5H_${canary}key` } });
  await ask('/api/v1/tasks', { headers: { authorization: `Basic ${canary}-basic` } });
  await ask('/', { headers: { cookie: `__Host-tf=${canary}-cookie; tf=${canary}-cookie` } });
  await ask(`/login/${canary}0link`, { headers: {} });
  await post('/login', `key=tf_user_01M8CDW04GEVQRKCJVVJ4BMT5H_${canary}form`, {
    'content-type': 'application/x-www-form-urlencoded',
    origin: url,
    'sec-fetch-site': 'same-origin',
  });
  await post(`/api/v1/tasks/${ids[0]}/retry`, {});
  await post('/api/v1/tasks/list-of-nothing', { password: `${canary}-body` });
  const titles = titlesOf(up.pid);
  up.send('SIGTERM');
  await up.exited;
  // The name of an unknown key or address may be told, never what stands in it.
  expect(answers.filter((answer) => answer.replace(/^\S+/, '').includes(canary))).toEqual([]);
  expect(
    told(up)
      .split('\n')
      .filter((line) => line.includes(canary)),
  ).toEqual([]);
  expect(titles).not.toContain(canary);
  for (const text of [told(up), titles, ...answers]) expect(text).not.toContain(token);
});

test.each([
  ['Postgres', `postgres://tf:${canary}-password@${canary}@127.0.0.1:1/app?sslpassword=${canary}`],
  ['Redis', `redis://default:${canary}-password@127.0.0.1:1/0`],
])(
  'an address of %s that is wrong is told without its password by every command',
  { timeout: 240_000 },
  async (_kind, broker) => {
    const commands = [
      ['config', 'list', '--json'],
      ['config', 'get', 'broker'],
      ['config', 'validate'],
      ['task', 'list', '--json'],
      ['db', 'status'],
      ['server', 'start', '--port', '0'],
      ['worker', 'start'],
    ];
    for (const args of commands) {
      const child = scenario.command(args, {
        env: { ...env, TASKFLOW_BROKER: broker, TASKFLOW_STORE: `postgres://tf:${canary}-record@127.0.0.1:1/app` },
      });
      await Promise.race([child.exited, wait(6_000)]);
      const titles = child.isRunning() ? titlesOf(child.pid) : '';
      child.send('SIGKILL');
      await child.exited;
      expect([args.join(' '), told(child).includes(canary), titles.includes(canary)]).toEqual([
        args.join(' '),
        false,
        false,
      ]);
      expect(told(child).length).toBeGreaterThan(0);
    }
  },
);
