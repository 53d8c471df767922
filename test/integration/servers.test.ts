/** Redis and Postgres that are started to be thrown away. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { startPostgres } from '../../src/servers/postgres.ts';
import { installLine } from '../../src/servers/programs.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { tellMissing } from '../support/run-servers.ts';
import { waitFor } from '../support/wait-for.ts';

test('the end of a run says what was left out, and the one line that would have it run', () => {
  const missing = new Map([['redis', 3] as const, ['postgres', 1] as const]);
  expect(tellMissing(missing)).toContain('redis (files of tests: 3) and postgres (files of tests: 1)');
  expect(tellMissing(missing)).toContain(installLine(['redis', 'postgres']));
});

await onOwnRedis((server) => {
  test('a killed Redis comes back at its address', async () => {
    await server.kill();
    await server.restart();
    const client = new Redis(server.url);
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });

  test('a stopped Redis answers what it was asked when it goes on', async () => {
    const client = new Redis(server.url);
    await client.ping();
    server.freeze();
    const answers: string[] = [];
    const asked = client.ping().then((answer) => answers.push(answer));
    // Another server answers many times in that time.
    const other = await (await import('../../src/servers/redis.ts')).startRedis();
    onTestFinished(() => other.stop());
    const beside = new Redis(other.url);
    for (let count = 0; count < 10; count += 1) await beside.ping();
    expect(answers).toEqual([]);
    server.thaw();
    await asked;
    expect(answers).toEqual(['PONG']);
    for (const each of [client, beside]) each.disconnect();
  });

  test('a Redis that cannot be started is told with what it said', async () => {
    const { startRedis } = await import('../../src/servers/redis.ts');
    await expect(startRedis(['--no-such-setting', '1'])).rejects.toThrow(/no-such-setting/);
  });

  test('a Redis whose starter is killed ends, and its folder with it', async () => {
    const program = `const { startRedis } = await import('./src/servers/redis.ts');
      console.log((await startRedis()).path); setInterval(() => {}, 1000);`;
    const starter = spawnProgram(['--input-type=module', '-e', program]);
    const [path] = await once(starter.stdout!, 'data');
    starter.kill('SIGKILL');
    await waitFor(() => expect(existsSync(dirname(String(path).trim()))).toBe(false), { timeout: 20_000 });
  });
});

await onPostgres(({ url, createDatabase }) => {
  test('each file has databases of its own', async () => {
    const another = await createDatabase();
    expect(await ask(url, 'select current_database() as is')).toBe(new URL(url).pathname.slice(1));
    expect(await ask(another, 'select current_database() as is')).toBe(new URL(another).pathname.slice(1));
  });

  test('a killed Postgres comes back with what was committed', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    await ask(server.url, 'create table kept as select 7 as number');
    await server.kill();
    await server.restart();
    expect(await ask(server.url, 'select number as is from kept')).toBe(7);
  });

  test('npm run services prints what to copy, and ends what it started', async () => {
    const services = spawnProgram(['scripts/services.ts']);
    const printed = await textUntil(services, /until Ctrl-C/);
    const database = /^DATABASE_URL=(.*)$/m.exec(printed)?.[1] ?? '';
    expect(await ask(database, 'select 1 as is')).toBe(1);
    services.kill('SIGINT');
    expect((await once(services, 'exit'))[0]).toBe(0);
    await expect(ask(database, 'select 1 as is')).rejects.toThrow(/ECONNREFUSED/);
  });
});

function spawnProgram(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function textUntil(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout!) {
    text += chunk;
    if (pattern.test(text)) break;
  }
  return text;
}

async function ask(url: string, statement: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query(statement)).rows[0]?.is;
  } finally {
    await client.end();
  }
}
