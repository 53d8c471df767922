/** A PgBouncer in transaction mode between TaskFlow and Postgres: each transaction may have another connection. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/broker/connect.ts';
import { makeClient } from '../../src/client/client.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import type { Store } from '../../src/history/history.ts';
import { task } from '../../src/index.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { findPgBouncer } from '../../src/servers/programs.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { onPostgres, type TestPostgres } from '../support/postgres-tests.ts';
import { mayLeaveOut } from '../support/run-servers.ts';

const program = findPgBouncer();

const declare = ({ url, createDatabase }: TestPostgres): void => {
  describe('behind a PgBouncer in transaction mode', () => {
    test('tasks run, and the store says how they are found', async () => {
      const pooled = await startPgBouncer(url);
      const [enqueuing, working] = [await open(through(pooled)), await open(through(pooled))];
      const double = task('double', { input: z.object({ n: z.number() }), run: async ({ n }) => n * 2 })[
        definitionBrand
      ];
      const worker = createWorker({ store: working, definitions: [double], concurrency: 5 });
      onTestFinished(() => worker.stop());
      worker.start();

      const client = makeClient({ open: async () => enqueuing });
      const handles = await client.enqueueMany<number>(
        double,
        Array.from({ length: 50 }, (_, n) => ({ n })),
      );
      const results = await Promise.all(handles.map((handle) => handle.result()));

      expect(results).toEqual(Array.from({ length: 50 }, (_, n) => n * 2));
      expect((await enqueuing.broker.info()).detail).toContain('behind a pooler: new tasks are found by the poll');
    });

    test('a server behind it that keeps less than asked for is refused', async () => {
      const own = await createDatabase();
      const client = new Client(own);
      await client.connect();
      await client.query(`alter database ${new URL(own).pathname.slice(1)} set synchronous_commit = off`);
      await client.end();
      const store = connect(through((await startPgBouncer(own)).replace('durability=any', 'durability=strict')));
      await expect(store.broker.open()).rejects.toMatchObject({ code: 'STORE_WEAK', exitCode: 9 });
    });

    test('a URL without prepare=false is told to have it', async () => {
      const store = connect(await startPgBouncer(url));
      await expect(store.broker.open()).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
        hint: 'Behind PgBouncer the URL needs ?prepare=false.',
      });
    });
  });
};

if (program !== null) await onPostgres(declare);
else
  test('a machine without a PgBouncer is none that must have it', () => {
    expect(mayLeaveOut()).toBe(true);
  });

function through(pooler: string): string {
  const url = new URL(pooler);
  url.searchParams.set('prepare', 'false');
  return url.href;
}

async function open(url: string): Promise<Store> {
  const store = connect(url, { namespace: 'pooler' });
  await store.broker.open();
  onTestFinished(() => store.close());
  return store;
}

/** Starts one with two connections for everybody; answers the URL of the same database through it. */
async function startPgBouncer(url: string): Promise<string> {
  const { hostname, port, username, pathname, search } = new URL(url);
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-pooler-'));
  const own = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${port} user=${username}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${own}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 2',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  // It refuses to be root.
  chmodSync(folder, 0o755);
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const child = spawn(program ?? 'pgbouncer', ['-q', ...user, file], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  await expect.poll(() => isListening(own), { timeout: 10_000 }).toBe(true);
  return `postgres://${username}@127.0.0.1:${own}${pathname}${search}`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connectTo(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
