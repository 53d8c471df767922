/** A server and its worker where nothing may touch the prototype of all objects: nothing of ours needs to, and what is sent cannot. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScenario, type Scenario } from './processes.ts';

const define = fileURLToPath(new URL('../../src/client/define.ts', import.meta.url));

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

const task = `
import { task } from ${JSON.stringify(define)};
export const echo = task('echo', {
  input: { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } },
  run: (input) => input,
});
`;

test('it runs with the prototype frozen and without __proto__, and names of it are names like others', async () => {
  const frozen = join(scenario.folder, 'frozen.mjs');
  writeFileSync(frozen, 'Object.freeze(Object.prototype);');
  mkdirSync(join(scenario.folder, 'tasks'));
  writeFileSync(join(scenario.folder, 'tasks/echo.mjs'), task);
  const env = { NODE_OPTIONS: `--disable-proto=throw --import ${frozen}` };
  const args = ['up', '--no-reload', '--port', '0', '--tasks', 'tasks', '-o', 'jsonl'];
  const up = scenario.command(args, { env });
  const { url } = (await up.heard('ready')) as unknown as { readonly url: string };
  const post = (body: string) =>
    fetch(`${url}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=60' },
      body,
    });
  const input = { toString: 'x', constructor: { a: 1 }, hasOwnProperty: 1, valueOf: [{}] };
  const answer = (await (await post(JSON.stringify({ name: 'echo', input, tags: ['constructor'] }))).json()) as {
    readonly id: string;
    readonly result: { readonly result: unknown };
  };
  expect(answer.result.result).toEqual(input);
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) {
    expect((await post(JSON.stringify({ name, queue: name, group: name, key: name, wait: 0 }))).status).toBe(201);
    expect((await fetch(`${url}/api/v1/queues/${name}`)).status).toBe(200);
  }
  for (const path of ['/', '/tasks', `/tasks/${answer.id}`, '/api', '/metrics', '/api/v1/counts', '/openapi.json'])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
  const refused = await post('{"name":"echo","input":{"a":{"__proto__":{"polluted":true}}}}');
  expect([refused.status, await refused.json()]).toEqual([400, expect.objectContaining({ code: 'PAYLOAD_NOT_JSON' })]);
  up.send('SIGTERM');
  expect(await up.exited).toEqual({ code: 0, signal: null });
}, 120_000);
