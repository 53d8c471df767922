/** Tests that what a server writes in a whole session at the level debug is lines of JSON, and holds nothing that was a secret. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../bin/taskflow.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'taskflow-log-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A server of its own, once it is ready. */
async function startServer() {
  const words = ['server', 'start', '--port', '0', '--log-level', 'debug', '--auth', 'none', '-o', 'jsonl'];
  const child = spawn(process.execPath, [program, ...words], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } });
  children.add(child);
  const output = { stdout: '', stderr: '' };
  child.stderr.on('data', (part) => {
    output.stderr += String(part);
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (part) => {
      output.stdout += String(part);
      const ready = output.stdout.split('\n').find((line) => line.includes('"event":"ready"'));
      if (ready !== undefined) resolve((JSON.parse(ready) as { url: string }).url);
    });
    child.once('exit', () => reject(new Error(output.stderr)));
  });
  const stop = () =>
    new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  return { url, output, stop };
}

test('every line is JSON, each request is told once, and no secret is in any of them', {
  timeout: 120_000,
}, async () => {
  const { url, output, stop } = await startServer();
  const headers = {
    'content-type': 'application/json',
    authorization: 'Bearer canary1',
    cookie: 'sid=canary2',
    'x-request-id': 'mine-1',
  };
  const body = JSON.stringify({ name: 'mail.send', input: { password: 'canary3' }, key: 'canary4' });
  const made = await fetch(`${url}/api/v1/tasks`, { method: 'POST', headers, body });
  expect(made.status).toBe(201);
  await made.text();
  for (const path of [
    '/?q=canary5',
    '/tasks?q=canary5',
    '/api/v1/tasks?q=error:canary5',
    '/nothing/canary6?x=canary5',
    '/metrics',
    '/readyz',
  ])
    await (await fetch(url + path, { headers: { cookie: 'sid=canary2' } })).text();
  await (await fetch(`${url}/api/v1/tasks`, { method: 'POST', headers, body: '{"canary7":' })).text();
  await stop();
  const lines = output.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(output.stderr + output.stdout).not.toMatch(/canary/);
  const requests = lines.filter(({ msg }) => msg === 'request');
  expect(requests).toHaveLength(8);
  expect(requests[0]).toMatchObject({
    level: 'info',
    requestId: 'mine-1',
    method: 'POST',
    route: '/api/v1/tasks',
    status: 201,
    actor: expect.any(String) as unknown,
    ms: expect.any(Number) as unknown,
  });
  expect(requests.filter(({ level }) => level === 'debug').map(({ route }) => route)).toEqual(['/metrics', '/readyz']);
});
