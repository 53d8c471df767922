/** Has a client generated from the description of the API, checks its types, and drives a session against a real server with it. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startLiveServer } from '../support/live-server.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** What a user of openapi-fetch writes: every path, field and answer of it is checked by the compiler. */
const session = `
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { paths } from './api.ts';

const client = createClient<paths>({ baseUrl: process.argv[2] ?? '' });

const enqueued = await client.POST('/api/v1/tasks', {
  body: { name: 'double', input: { n: 21 }, priority: 'high', tags: ['answer'] },
  params: { header: { Prefer: 'wait=30', 'Idempotency-Key': '01K8Q2M4ZJF0C9YF4V7Z0B2HNX' } },
});
assert.equal(enqueued.response.status, 201);
assert.deepEqual(enqueued.data?.result?.result, { n: 42 });
const id: string = enqueued.data?.id ?? '';

const task = await client.GET('/api/v1/tasks/{id}', { params: { path: { id } } });
const state: 'blocked' | 'scheduled' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | undefined = task.data?.state;
assert.equal(state, 'succeeded');
assert.equal(task.data?.timeline.length === 0, false);

const doomed = await client.POST('/api/v1/tasks', { body: { name: 'doomed' }, params: { header: { Prefer: 'wait=30' } } });
assert.equal(doomed.data?.result?.error?.message, 'no chance');
const failed = await client.GET('/api/v1/tasks', { params: { query: { q: 'state:failed', limit: 1 } } });
assert.deepEqual(failed.data?.tasks.map((one) => one.id), [doomed.data?.id]);

const paused = await client.POST('/api/v1/queues/{name}/pause', { params: { path: { name: 'default' } }, body: { reason: 'lunch' } });
assert.equal(paused.data?.pause?.reason, 'lunch');
const waiting = await client.POST('/api/v1/tasks', { body: { name: 'double', input: { n: 1 } } });
const why = await client.GET('/api/v1/tasks/{id}/explain', { params: { path: { id: waiting.data?.id ?? '' } } });
assert.equal(why.data?.gates.some(({ code }) => code === 'queue_paused'), true);
const cancelled = await client.POST('/api/v1/tasks/{id}/cancel', { params: { path: { id: waiting.data?.id ?? '' } }, body: {} });
assert.equal(cancelled.data?.outcome, 'cancelled');
await client.POST('/api/v1/queues/{name}/resume', { params: { path: { name: 'default' } } });

const missing = await client.GET('/api/v1/tasks/{id}', { params: { path: { id: '01K8Q2M4ZJE008000000000099' } } });
assert.equal(missing.error?.code, 'TASK_NOT_FOUND');
// @ts-expect-error a name that is none
await client.POST('/api/v1/tasks', { body: { name: 42 } });
// @ts-expect-error an address that there is not
await client.GET('/api/v1/nothing', {});
console.log('done');
`;

const compilerOptions = {
  ...{ target: 'ES2024', module: 'NodeNext', moduleResolution: 'NodeNext', types: ['node'], strict: true },
  ...{ noEmit: true, allowImportingTsExtensions: true, erasableSyntaxOnly: true, skipLibCheck: true },
};

test('a generated client fits the compiler and the server', async () => {
  const server = await startLiveServer();
  const folder = await mkdtemp(join(tmpdir(), 'taskflow-generated-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const generator = [join(root, 'test/support/generate-types.mjs'), `${server.url}/openapi.json`];
  const { stdout: types } = await run(process.execPath, generator, { cwd: root, maxBuffer: 16 * 1024 * 1024 });
  await writeFile(join(folder, 'api.ts'), types);
  await writeFile(join(folder, 'session.ts'), session);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const compiled = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
    ({ stdout }: { stdout: string }) => ({ stdout }),
  );
  expect(compiled.stdout).toBe('');
  const { stdout } = await run(process.execPath, [join(folder, 'session.ts'), server.url]);
  expect(stdout.trim()).toBe('done');
  expect(server.reported).toEqual([]);
}, 120_000);
