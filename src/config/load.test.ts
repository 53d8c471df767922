/** Checks where settings come from, which of them wins, and how mistakes are told. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TaskFlowError } from '../core/errors.ts';
import { type ConfigSources, loadConfig, shownValue } from './load.ts';
import { type Mistake, originText } from './origin.ts';
import type { SettingKey } from './settings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-config-'));
  write('package.json', '{}');
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const load = (sources: Partial<ConfigSources> = {}) => loadConfig({ cwd: folder, env: {}, ...sources });
const flag = (key: SettingKey, name: string, value: string) => ({ key, name, value });

async function mistakes(sources: Partial<ConfigSources> = {}): Promise<string[]> {
  const error = await load(sources).catch((thrown: unknown) => thrown);
  if (!(error instanceof TaskFlowError)) throw new Error(`expected mistakes, got ${JSON.stringify(error)}`);
  expect(error.code).toBe('INVALID_CONFIG');
  return (error.details as Mistake[]).map(({ where, problem }) => `${where} ${problem}`);
}

async function check(
  key: SettingKey,
  value: unknown,
  origin: string,
  sources: Partial<ConfigSources> = {},
): Promise<void> {
  const config = await load(sources);
  expect([config.settings[key], originText(config.origins[key])]).toEqual([value, origin]);
}

test('without anything every setting has its default', async () => {
  const config = await load();
  expect(config.settings).toMatchObject({
    tasks: [join(folder, 'src/tasks'), join(folder, 'tasks')],
    broker: `sqlite:${join(folder, '.taskflow/taskflow.db')}`,
    'server.port': 8000,
    'worker.drain': 30_000,
    'worker.memory': 512,
    'defaults.timeout': 3_600_000,
    'worker.queues': null,
  });
  expect(new Set(Object.values(config.origins).map(originText))).toEqual(new Set(['default']));
});

test('the first of flag, variable, .env.local, .env, file and default wins', async () => {
  await check('server.port', 8000, 'default');
  write('taskflow.config.json', '{"server":{"port":1}}');
  await check('server.port', 1, 'taskflow.config.json: server.port');
  write('.env', 'TASKFLOW_SERVER_PORT=2');
  await check('server.port', 2, '.env: TASKFLOW_SERVER_PORT');
  write('.env.local', 'TASKFLOW_PORT=3');
  await check('server.port', 3, '.env.local: TASKFLOW_PORT');
  await check('server.port', 4, 'TASKFLOW_PORT', { env: { TASKFLOW_PORT: '4' } });
  await check('server.port', 5, '--port', { env: { TASKFLOW_PORT: '4' }, flags: [flag('server.port', '--port', '5')] });
});

test('the file is found upward, and its paths are relative to it', async () => {
  write('taskflow.config.ts', `const tasks: string[] = ['jobs'];\nexport default { tasks, broker: 'sqlite:./x.db' };`);
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  const config = await load({ cwd: join(folder, 'a/b') });
  expect(config.settings.tasks).toEqual([join(folder, 'jobs')]);
  expect(config.settings.broker).toBe(`sqlite:${join(folder, 'x.db')}`);
});

test('TypeScript that Node cannot strip is read too', async () => {
  write('taskflow.config.ts', 'enum Port { Dev = 7 }\nexport default { server: { port: Port.Dev } };');
  await check('server.port', 7, 'taskflow.config.ts: server.port');
});

test('queues are read as list, as slots and as objects', async () => {
  const queues = async (value: string) =>
    (await load({ env: { TASKFLOW_WORKER_QUEUES: value } })).settings['worker.queues'];
  expect(await queues('default, high')).toEqual({ default: null, high: null });
  expect(await queues('email=20,default=5')).toEqual({ email: 20, default: 5 });
  write('taskflow.config.json', '{"worker":{"queues":{"email":20}}}');
  expect((await load()).settings['worker.queues']).toEqual({ email: 20 });
});

test('every mistake is told at once, with its place and the nearest known name', async () => {
  write(
    'taskflow.config.json',
    '{"sever":{"port":1},"worker":{"drains":"1s","queue":{}},"port":1,"defaults":{"retry":{"attemps":3}}}',
  );
  write('.env', 'TASKFLOW_BROKR=x');
  expect(
    await mistakes({
      env: { TASKFLOW_PORTT: '1', TASKFLOW_LOG_LEVEL: 'loud' },
      flags: [flag('worker.drain', '--drain', '5 mins'), flag('worker.lease', '--lease', '100ms')],
    }),
  ).toEqual([
    'TASKFLOW_PORTT is not a variable of TaskFlow. Did you mean TASKFLOW_PORT?',
    '.env: TASKFLOW_BROKR is not a variable of TaskFlow. Did you mean TASKFLOW_BROKER?',
    'taskflow.config.json: sever is not a setting. Did you mean server?',
    'taskflow.config.json: worker.drains is not a setting. Did you mean worker.drain?',
    'taskflow.config.json: worker.queue is not a setting. Did you mean worker.queues?',
    'taskflow.config.json: port is not a setting. Did you mean server.port?',
    `--drain must be a duration: "5 mins" is not a duration. Did you mean '5m'?`,
    "--lease must be a duration: \"100ms\" is shorter than 1s. Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'.",
    'taskflow.config.json: defaults.retry has no key "attemps". Did you mean attempts?',
    'TASKFLOW_LOG_LEVEL must be one of debug, info, warn, error, not "loud"',
  ]);
});

test.each([
  ['server.port', '65536', 'must be a whole number from 0 to 65535, not 65536'],
  ['server.port', 'abc', 'must be a whole number from 0 to 65535, not "abc"'],
  ['worker.concurrency', '0', 'must be a whole number from 1 to 10000, not 0'],
  ['worker.queues', 'a b', 'names a queue that cannot be: "a b" contains " "'],
  ['worker.queues', 'email=many', 'has "many" slots for email; 1 to 10000 are allowed'],
  ['worker.queues', ',', 'must name queues, such as default,high or email=20,default=5, not ","'],
  ['namespace', 'a b', 'must consist of letters, digits, ".", "_" and "-"'],
] as const)('%s refuses %s', async (key, value, problem) => {
  expect(await mistakes({ flags: [flag(key, '--x', value)] })).toEqual([`--x ${problem}`]);
});

test('a value that another outranks is checked as well', async () => {
  expect(
    await mistakes({ env: { TASKFLOW_SERVER_PORT: 'x' }, flags: [flag('server.port', '--port', '1')] }),
  ).toHaveLength(1);
});

test('a broker that is named leaves REDIS_URL and DATABASE_URL alone', async () => {
  const env = { TASKFLOW_BROKER: 'sqlite:./own.db', REDIS_URL: 'redis://h:1', DATABASE_URL: 'postgres://h/d' };
  const config = await load({ env });
  expect([config.settings.broker.endsWith('own.db'), config.settings.store]).toEqual([true, null]);
});

test('REDIS_URL and DATABASE_URL stand in when nothing else is said', async () => {
  const env = { REDIS_URL: 'redis://u:secret@h:1', DATABASE_URL: 'postgres://u:secret@h/d' };
  const config = await load({ env });
  expect([config.settings.broker, config.settings.store]).toEqual([env.REDIS_URL, env.DATABASE_URL]);
  expect(shownValue(config, 'broker')).toBe('redis://u:***@h:1');
  await check('broker', env.DATABASE_URL, 'DATABASE_URL', { env: { DATABASE_URL: env.DATABASE_URL } });
  await check('broker', 'sqlite::memory:', 'TASKFLOW_BROKER', { env: { ...env, TASKFLOW_BROKER: 'sqlite::memory:' } });
  await check('broker', `sqlite:${join(folder, '.taskflow/taskflow.db')}`, 'default', {
    env: { DATABASE_URL: 'mysql://h/d' },
  });
});

test('what Kubernetes adds for a service named taskflow is not taken for settings', async () => {
  await check('server.port', 8000, 'default', {
    env: {
      TASKFLOW_PORT: 'tcp://10.0.0.1:8000',
      TASKFLOW_SERVICE_HOST: '10.0.0.1',
      TASKFLOW_PORT_8000_TCP_ADDR: 'x',
      TASKFLOW_SERVER_PORT: ' ',
    },
  });
});

test('a file that cannot be read, two files and a named file that is missing are mistakes', async () => {
  expect(await mistakes({ file: 'nope.ts' })).toEqual(['--config names nope.ts, which does not exist']);
  write('taskflow.config.json', '{"server":');
  expect((await mistakes())[0]).toMatch(/^taskflow.config.json .*JSON/);
  write('taskflow.config.json', '{}');
  write('taskflow.config.js', 'export default {}');
  expect(await mistakes()).toEqual(['taskflow.config.json stands beside taskflow.config.js: remove one of them']);
});
