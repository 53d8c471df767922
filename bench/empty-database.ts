/** An empty database for each measurement on one Postgres. */

import { Client } from 'pg';

let databases = 0;

/** Answers the URL of a new one. What was left of the one before is written now, and not while the next is measured. */
export async function emptyDatabase(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`drop database if exists bench${databases} with (force)`);
  databases += 1;
  await client.query(`create database bench${databases}`);
  await client.query('checkpoint');
  await client.end();
  return Object.assign(new URL(url), { pathname: `/bench${databases}` }).href;
}
