/** Runs every command against servers that are no TaskFlow: each is told as such, whatever it answers, and none is an error of the program. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operations } from '../../src/operations/registry.ts';
import { lines, runIn } from '../support/cli-parity.ts';

const html = '<!doctype html><title>Welcome to nginx</title>';

/** What answers, whatever it is asked. */
const answers: readonly (readonly [what: string, status: number, body: string])[] = [
  ['an empty object', 200, '{}'],
  ['an empty list', 200, '[]'],
  ['a text', 200, '"x"'],
  ['a page', 200, html],
  ['nothing', 200, ''],
  ['half a document', 200, '{"tasks":[{"id"'],
  ['the health of something else', 200, '{"status":"ok","version":"1.2.3"}'],
  ['a refusal of something else', 404, '{"message":"Not Found","code":404}'],
  ['a page of an error', 500, html],
];

const all = [...lines, ['server', 'status'], ['config', 'list'], ['config', 'get', 'server.port'], ['worker', 'start']];

let folder: string;
let server: Server;
let url: string;
let answer: readonly [status: number, body: string];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-cli-foreign-'));
  writeFileSync(join(folder, 'package.json'), '{}');
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(answer[0], { 'content-type': answer[1] === html ? 'text/html' : 'application/json' });
    response.end(answer[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(words: readonly string[]) {
  const { code, stdout, stderr } = await runIn(folder, [...words, '--server', url], { TASKFLOW_TOKEN: 'tf_api_x' });
  return { words: words.join(' '), code, stdout, stderr };
}

describe.each(answers)('a server that answers with %s', (_what, status, body) => {
  test('is told as no TaskFlow by every command, with the code of one that is not there', async () => {
    answer = [status, body];
    for (const words of all) {
      const ran = await ask(words);
      expect(ran).toEqual({
        ...{ words: words.join(' '), code: 6, stdout: '' },
        // A worker waits for a server behind a proxy, which answers like that while it is away.
        stderr: expect.stringMatching(words[1] === 'start' && status !== 200 ? `answers ${status}` : 'no TaskFlow'),
      });
      expect(ran.stderr).not.toMatch(/inside TaskFlow/);
    }
  });
});

test('one that has the right fields with nonsense in them is no error of the program either', async () => {
  const schemas = await Promise.all(Object.values(operations).map(({ output }) => output()));
  const names = schemas.flatMap((schema) => ('shape' in schema ? Object.keys(schema.shape as object) : []));
  for (const nonsense of [null, 7, 'x', [], [{}], [null], {}]) {
    answer = [200, JSON.stringify(Object.fromEntries(names.map((name) => [name, nonsense])))];
    for (const words of all.filter(([noun, verb]) => noun !== 'run' && verb !== 'start')) {
      const ran = await ask(words);
      expect(ran).not.toMatchObject({ stderr: expect.stringContaining('inside TaskFlow') });
      expect(ran).not.toMatchObject({ code: 1 });
    }
  }
});
