/** What a Postgres that asks for passwords and TLS answers to a URL that is wrong: one line, the next thing to do, the exit code. */

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { createRecordDatabase } from '../../src/broker/record-database.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { type PostgresServer, startPostgres } from '../../src/servers/postgres.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(() => {
  let server: PostgresServer;
  let admin: Client;
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-refusals-'));
  const certificate = join(folder, 'certificate.pem');

  beforeAll(async () => {
    server = await startPostgres();
    admin = new Client(server.url);
    await admin.connect();
    await admin.query("create role ada login password 'geheim'");
    const { rows } = await admin.query('show hba_file');
    const hba = String(rows[0]?.hba_file);
    writeFileSync(hba, `host all ada 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, 'utf8')}`);
    await admin.query('select pg_reload_conf()');
  });

  afterAll(async () => {
    await admin.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** TLS with a certificate of nobody, for localhost. The files are the server's own. */
  async function turnTlsOn(): Promise<void> {
    const key = join(folder, 'key.pem');
    const subject = ['-subj', '/CN=localhost', '-days', '2', '-out', certificate, '-keyout', key];
    execFileSync('openssl', ['req', '-new', '-x509', '-nodes', ...subject], { stdio: 'ignore' });
    const { rows } = await admin.query('show data_directory');
    const { uid, gid } = statSync(String(rows[0]?.data_directory));
    chmodSync(folder, 0o755);
    chmodSync(key, 0o600);
    chownSync(key, uid, gid);
    await admin.query(`alter system set ssl_cert_file = '${certificate}'`);
    await admin.query(`alter system set ssl_key_file = '${key}'`);
    await admin.query('alter system set ssl = on');
    await admin.query('select pg_reload_conf()');
  }

  const urlWith = (options: string, user = 'postgres', host = '127.0.0.1'): string =>
    `postgres://${user}@${host}:${server.port}/postgres${options}`;

  async function refused(url: string): Promise<TaskFlowError> {
    const store = connect(url);
    const error = await store.broker.open().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    await store.close();
    if (!(error instanceof TaskFlowError)) throw new Error(`${url} was not refused in words: ${String(error)}`);
    expect(`${error.message} ${error.hint}`).not.toMatch(/\n|geheim|falsch/);
    return error;
  }

  const unreachable = (hint: RegExp) => ({
    code: 'STORE_UNREACHABLE',
    exitCode: 6,
    hint: expect.stringMatching(hint) as unknown,
  });

  test('a password that is wrong, or missing', async () => {
    const password = unreachable(/^Check the user and the password/);
    expect(await refused(urlWith('', 'ada:falsch'))).toMatchObject(password);
    expect(await refused(urlWith('', 'ada'))).toMatchObject(password);
    const right = connect(urlWith('', 'ada:geheim'));
    // It may not make a schema.
    await expect(right.broker.open()).rejects.toMatchObject({ code: 'STORE_READ_ONLY', exitCode: 6 });
    await right.close();
  });

  test('TLS that the server does not have, or not as it is asked for', async () => {
    for (const mode of ['require', 'prefer', 'verify-full'])
      expect(await refused(urlWith(`?sslmode=${mode}`))).toMatchObject(unreachable(/^Turn TLS on in the server/));
    await turnTlsOn();
    const rooted = `?sslmode=verify-full&sslrootcert=${certificate}`;

    await expect
      .poll(() => refused(urlWith('?sslmode=verify-full')))
      .toMatchObject(unreachable(/^Name the certificate of its authority/));
    expect(await refused(urlWith(rooted))).toMatchObject(unreachable(/^The certificate is for another host/));
    expect(await refused(urlWith('?sslmode=verify-full&sslrootcert=/no/ca.pem'))).toMatchObject(
      unreachable(/^Check the files that the URL names/),
    );
    const store = connect(urlWith(rooted, 'postgres', 'localhost'));
    await store.broker.open();
    await store.close();
  });

  /** Runs `ask` while the server, the database or the role is set so. */
  async function whileSet(change: string, back: string, ask: () => Promise<void>): Promise<void> {
    for (const text of [change, 'select pg_reload_conf()']) await admin.query(text);
    try {
      await ask();
    } finally {
      for (const text of [back, 'select pg_reload_conf()']) await admin.query(text);
    }
  }

  test.for([
    ['alter system set fsync = off', 'alter system reset fsync', /^Set fsync = on/],
    ['alter system set full_page_writes = off', 'alter system reset full_page_writes', /^Set full_page_writes = on/],
    ['alter system set synchronous_commit = off', 'alter system reset synchronous_commit', /^Set synchronous_commit/],
    [
      'alter database postgres set synchronous_commit = off',
      'alter database postgres reset synchronous_commit',
      /^ALTER DATABASE "postgres" RESET/,
    ],
    [
      'alter role postgres set synchronous_commit = off',
      'alter role postgres reset synchronous_commit',
      /^ALTER ROLE "postgres" RESET/,
    ],
  ] as const)('a server after "%s", as broker and as record', async ([change, back, hint]) => {
    const told = { code: 'STORE_WEAK', exitCode: 9, hint: expect.stringMatching(hint) as unknown };
    await whileSet(change, back, async () => {
      await expect.poll(() => weaknessOf(urlWith(''))).toMatchObject(told);
      const record = createRecordDatabase(urlWith(''), { folder, namespace: 'record' });
      await expect(record.open()).rejects.toMatchObject(told);
      const taken = connect(urlWith('?durability=any'));
      await taken.broker.open();
      expect((await taken.broker.info()).durability).toBe(/commit/.test(change) ? 'standard' : 'volatile');
      await taken.close();
    });
  });

  /** `null` until the server has read its settings again. */
  async function weaknessOf(url: string): Promise<unknown> {
    const store = connect(url);
    return await store.broker
      .open()
      .then(() => null)
      .catch((error: unknown) => error)
      .finally(() => store.close());
  }

  test('a mode of TLS that there is not', () => {
    expect(() => connect(urlWith('?sslmode=maybe'))).toThrowError(
      expect.objectContaining({ code: 'STORE_URL_INVALID', exitCode: 2 }) as Error,
    );
  });
});
