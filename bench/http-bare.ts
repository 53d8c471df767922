/** Bare routes of our stack, for the bench of HTTP: Node's server, Hono, a schema and JSON, with a row stored or without. */

import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Hono } from 'hono';
import { z } from 'zod';
import { createToken, systemChance } from '../src/core/chance.ts';
import { onNextTurn } from '../src/core/time.ts';
import type { Served } from './http.ts';

/** What becomes of the row of a request before it is answered: `shared` are commits of all that came in one turn of the loop. */
export type Keeping = 'nothing' | 'each' | 'shared';

const body = z.strictObject({ name: z.string().min(1).max(200), input: z.unknown().optional() });

/** Reads its body and answers as much as ours does, and nothing else. */
export function bareRoute(keeping: Keeping, folder?: string): Served {
  const store = keeping === 'nothing' || folder === undefined ? null : openStore(join(folder, 'bare.db'), keeping);
  const app = new Hono();
  app.post('/api/v1/tasks', async (c) => {
    const { name, input = {} } = body.parse(await c.req.json());
    const id = createToken(systemChance);
    await store?.insert(id, name, JSON.stringify(input));
    const answer = { id, name, queue: 'default', state: 'queued', created: true, outcome: 'created', replaced: null };
    return c.json({ ...answer, note: null, result: null }, 201);
  });
  return { fetch: async (request) => app.fetch(request), close: async () => store?.close() };
}

interface Row {
  readonly values: readonly string[];
  done(): void;
}

/** With the settings of our own store: what was answered is on the disk. */
function openStore(file: string, keeping: Keeping) {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = wal; PRAGMA synchronous = FULL');
  database.exec('CREATE TABLE tasks (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, payload TEXT)');
  const insert = database.prepare('INSERT INTO tasks (id, name, payload) VALUES (?, ?, ?)');
  const share = keeping === 'shared' ? sharedCommits(database, insert) : null;
  return {
    insert: (...values: readonly string[]): unknown =>
      share === null ? insert.run(...values) : new Promise<void>((done) => share({ values, done })),
    close: () => database.close(),
  };
}

function sharedCommits(database: DatabaseSync, insert: StatementSync): (row: Row) => void {
  let waiting: Row[] = [];
  return (row) => {
    if (waiting.push(row) > 1) return;
    onNextTurn(() => {
      const rows = waiting;
      waiting = [];
      database.exec('BEGIN IMMEDIATE');
      for (const { values } of rows) insert.run(...values);
      database.exec('COMMIT');
      for (const { done } of rows) done();
    });
  };
}
