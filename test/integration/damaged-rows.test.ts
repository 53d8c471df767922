/** Tests that rows which somebody has written by hand are shown as what they are, and hide no others. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { connect } from '../../src/broker/connect.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { claimRequest, newTask, sampleId, sampleToken } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

interface World {
  readonly store: Store;
  damage(set: string): Promise<void>;
  close(): Promise<void>;
}

const [bad, good] = [sampleId(1), sampleId(2)];

async function openSqlite(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-damaged-'));
  const file = join(folder, 'own', 'taskflow.db');
  const store = connect(`sqlite:${file}`);
  await store.broker.open();
  return {
    store,
    async damage(set) {
      const database = new DatabaseSync(file);
      database.exec('PRAGMA busy_timeout = 5000');
      database.prepare(`UPDATE tasks SET ${set} WHERE id = ?`).run(bad);
      database.close();
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function openPostgres(url: string): Promise<World> {
  const namespace = `damaged ${randomBytes(4).toString('hex')}`;
  const store = connect(url, { namespace });
  await store.broker.open();
  return {
    store,
    async damage(set) {
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query(`UPDATE "${namespace}".tasks SET ${set.replace('char(', 'chr(')} WHERE id = $1`, [bad]);
      await client.end();
    },
    close: () => store.close(),
  };
}

const damages = [
  ["payload = 'not json'", { input: { corrupt: 'not json' } }],
  ['payload = \'{"__proto__":{"x":1}}\'', {}],
  ["policy = '{bad'", { attempts: 5 }],
  ["options = '{bad'", { tags: ['corrupt'] }],
  [`options = '{"tags":5,"limits":{},"dependsOn":"x"}'`, { tags: ['corrupt'] }],
  ["options = '[]'", { tags: ['corrupt'] }],
  ["error = '{bad'", { error: { name: 'Corrupt' } }],
  [`error = '{"name":"constructor","message":7}'`, { error: { name: 'Corrupt' } }],
  ["progress = '7'", { progress: { note: 'What is stored of it cannot be read.' } }],
  ["checkpoints = '[{'", { steps: [], tags: ['corrupt'] }],
  [`checkpoints = '[{"name":"a","value":"{bad"}]'`, { steps: [{ name: 'a', value: { corrupt: '{bad' } }] }],
  [`payload = '{"to":"bob","n":1e400,"0":1}'`, {}],
  ["name = 'a' || char(27) || '[2J'", {}],
] as const;

const filters = [
  ...['tag:x', 'tag:x*', '-tag:x', 'flow:01', 'error:boom', 'error:b*', 'input.to:ada', 'input.to:a*', 'input.n:>5'],
  ...['-input.to:ada', 'output.x:1', 'output.0:1', 'state:queued,scheduled input.to:ada'],
];

function declare(open: () => Promise<World>): void {
  describe.each(damages)('%s', (set, shown) => {
    let world: World;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.close());

    test('is shown as that, and hides no other task', async () => {
      const { store } = world;
      const payload = '{"to":"ada","n":7}';
      await store.broker.enqueue([newTask(bad, { delayMs: 60_000, payload }), newTask(good, { payload })]);
      await world.damage(set);
      const reported: unknown[] = [];
      const fetch = createApp({
        context: createContext({ store, actor: { name: 'ada', role: 'admin' } }),
        pages: createPages({ version: '0.0.0' }),
        report: (error) => reported.push(error),
      });
      const get = (path: string) => fetch(new Request(`http://127.0.0.1:8000${path}`));
      const find = async (q: string): Promise<readonly string[]> => {
        const answer = await get(`/api/v1/tasks?q=${encodeURIComponent(q)}`);
        expect([q, answer.status, reported]).toEqual([q, 200, []]);
        const { tasks } = (await answer.json()) as { readonly tasks: readonly { readonly id: string }[] };
        return tasks.map(({ id }) => id);
      };
      for (const path of [
        '/',
        '/tasks',
        `/tasks/${bad}`,
        '/api/v1/tasks',
        `/api/v1/tasks/${bad}/explain`,
        '/api/v1/errors',
      ])
        expect([path, (await get(path)).status, reported]).toEqual([path, 200, []]);
      for (const q of filters) await find(q);
      expect(await find('')).toEqual([good, bad]);
      expect(await find('input.to:ada')).toEqual(set.startsWith('payload') ? [good] : [good, bad]);
      expect(await find('input.n:>5')).toContain(good);
      expect(await (await get(`/api/v1/tasks/${bad}`)).json()).toMatchObject(shown);
    });

    test('keeps no worker from the tasks beside it', async () => {
      const { store } = world;
      const limits = [{ name: 'full', max: 1, rate: null }];
      await store.broker.enqueue([newTask(sampleId(3), { limits })]);
      expect(await store.broker.claim(claimRequest(sampleToken(2)))).toHaveLength(1);
      await store.broker.enqueue([newTask(sampleId(4), { limits })]);
      await store.broker.enqueue([newTask(bad, { delayMs: 0, limits }), newTask(good)]);
      await world.damage(set);
      // The first read ends at a full limit: what is behind it is looked through by the store.
      const claims = [await store.broker.claim(claimRequest(sampleToken(1), { limit: 1 }))];
      claims.push(await store.broker.claim(claimRequest(sampleToken(3), { limit: 1 })));
      expect(claims.flat().map(({ task }) => task.id)).toContain(good);
    });
  });
}

declare(openSqlite);

await onPostgres(({ url }) => {
  describe('postgres', () => declare(() => openPostgres(url)));
});

test('what a store makes of files is for its owner alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-modes-'));
  const file = join(folder, 'own', 'taskflow.db');
  const store = connect(`sqlite:${file}`);
  await store.broker.open();
  const modes = [join(folder, 'own'), file, `${file}-wal`, `${file}-shm`].map((path) => statSync(path).mode & 0o777);
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
  await store.close();
  rmSync(folder, { recursive: true });
});
