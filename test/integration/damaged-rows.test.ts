/** Tests that rows which somebody has written by hand are shown as what they are, and hide no others. */

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { connect } from '../../src/broker/connect.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { claimRequest, newTask, sampleId, sampleToken } from '../conformance/samples.ts';

let folder: string;
let file: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-damaged-'));
  file = join(folder, 'own', 'taskflow.db');
  store = connect(`sqlite:${file}`);
  await store.broker.open();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const [bad, good] = [sampleId(1), sampleId(2)];

function damage(set: string): void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA busy_timeout = 5000');
  database.prepare(`UPDATE tasks SET ${set} WHERE id = ?`).run(bad);
  database.close();
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
  ["checkpoints = '[{'", { steps: [] }],
  [`checkpoints = '[{"name":"a","value":"{bad"}]'`, { steps: [{ name: 'a', value: { corrupt: '{bad' } }] }],
  ["name = 'a' || char(27) || '[2J'", {}],
] as const;

describe.each(damages)('%s', (set, shown) => {
  test('is shown as that, and hides no other task', async () => {
    await store.broker.enqueue([newTask(bad, { delayMs: 60_000 }), newTask(good)]);
    damage(set);
    const reported: unknown[] = [];
    const fetch = createApp({
      context: createContext({ store, actor: { name: 'ada', role: 'admin' } }),
      pages: createPages({ version: '0.0.0' }),
      report: (error) => reported.push(error),
    });
    const get = (path: string) => fetch(new Request(`http://127.0.0.1:8000${path}`));
    for (const path of [
      '/',
      '/tasks',
      `/tasks/${bad}`,
      '/api/v1/tasks',
      `/api/v1/tasks/${bad}/explain`,
      '/api/v1/errors',
    ])
      expect([path, (await get(path)).status, reported]).toEqual([path, 200, []]);
    for (const q of ['tag:x', 'input.to:ada', 'output.x:1', 'flow:01', 'error:boom', '-tag:x'])
      expect([q, (await get(`/api/v1/tasks?q=${encodeURIComponent(q)}`)).status, reported]).toEqual([q, 200, []]);
    const { tasks } = (await (await get('/api/v1/tasks')).json()) as {
      readonly tasks: readonly { readonly id: string }[];
    };
    expect(tasks.map(({ id }) => id)).toEqual([good, bad]);
    expect(await (await get(`/api/v1/tasks/${bad}`)).json()).toMatchObject(shown);
  });

  test('keeps no worker from the tasks beside it', async () => {
    await store.broker.enqueue([newTask(bad, { delayMs: 0 }), newTask(good)]);
    damage(set);
    const claimed = await store.broker.claim(claimRequest(sampleToken(1)));
    expect(claimed.map(({ task }) => task.id)).toContain(good);
  });
});

test('what a store makes of files is for its owner alone', () => {
  const modes = [join(folder, 'own'), file, `${file}-wal`, `${file}-shm`].map((path) => statSync(path).mode & 0o777);
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
});
