/** Tests that want a Postgres: the one that `DATABASE_URL` names, or the one of this run where there is a program for it. */

import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, inject } from 'vitest';
import { findPostgres } from '../../src/servers/programs.ts';
import { sharedPostgres } from './run-servers.ts';
import { declareWithout } from './without-server.ts';

export interface TestPostgres {
  /** Of an empty database of this file's own. */
  readonly url: string;
  /** Makes one more, gone with the file too. */
  createDatabase(): Promise<string>;
}

/** Declares tests on databases of their own. Who kills the server starts one with `startPostgres` inside of this. */
export async function onPostgres(declare: (postgres: TestPostgres) => Promise<void> | void): Promise<void> {
  const given = inject('givenServers').postgres;
  if (given === '' && findPostgres() === null) return declareWithout('postgres');
  const server = given === '' ? await sharedPostgres() : given;
  const made: string[] = [];
  const createDatabase = async (): Promise<string> => {
    const name = `taskflow_test_${randomBytes(6).toString('hex')}`;
    await execute(server, `create database ${name} template template0`);
    made.push(name);
    const url = new URL(server);
    url.pathname = `/${name}`;
    return url.href;
  };
  afterAll(async () => {
    for (const name of made) await drop(server, name);
  });
  await declare({ url: await createDatabase(), createDatabase });
}

/**
 * A pool of `pg` that has ended may still be closing its connections, and whoever ends one first has its client throw for everybody to hear. The
 * server waits five seconds for them; only what was left open is ended.
 */
async function drop(server: string, name: string): Promise<void> {
  try {
    await execute(server, `drop database if exists ${name}`);
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== isInUse) throw error;
    await execute(server, `drop database if exists ${name} with (force)`);
  }
}

const isInUse = '55006';

async function execute(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
