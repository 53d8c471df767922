/** Runs every command through a server and straight on SQLite: they say the same. And what is said of a server that cannot be asked. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createWorld, declareParity, leftOut, runIn, type World } from '../support/cli-parity.ts';

describe('each command says the same on SQLite', () => {
  declareParity();

  test('and none that a server can be asked is left out', async () => {
    expect(await leftOut()).toEqual([]);
  });
});

let behindServer: World;
beforeAll(async () => {
  behindServer = await createWorld();
});
afterAll(() => behindServer.close());

test('a server tells its own settings, and how it stands', async () => {
  const { code, stdout } = await behindServer.run(['server', 'status', '--json'], true);
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { running: true, url: behindServer.server.url, pid: null }]);
  expect((await behindServer.run(['config', 'list', '--json'], true)).stdout).toBe('[]\n');
  expect((await behindServer.run(['config', 'get', 'server.port'], true)).stdout).toBe('\n');
});

describe('a server that cannot be asked is told as such:', () => {
  const ask = (...words: readonly string[]) => runIn(behindServer.folder, words, {});
  const withKey = async (scopes: 'read' | 'enqueue', ...words: readonly string[]) => {
    const { token } = await behindServer.server.newKey({ kind: 'api', scopes: [scopes] });
    return behindServer.run(words, true, { TASKFLOW_TOKEN: token });
  };

  test('one that is down', async () => {
    const { code, stderr } = await ask('queue', 'list', '--server', 'http://127.0.0.1:9');
    expect([code, stderr]).toEqual([6, expect.stringContaining('Cannot reach the server at 127.0.0.1:9')]);
    expect(stderr).toContain('taskflow server status');
  });

  test.each(['nonsense', 'ftp://here', 'http://user:key@here'])('an address like %s', async (url) => {
    const { code, stderr } = await ask('queue', 'list', '--server', url);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/not the address of a server|does not belong/)]);
    expect(stderr).not.toContain(':key');
  });

  test('no key, a wrong one, and one that is for something else', async () => {
    const { url } = behindServer.server;
    const none = await ask('queue', 'list', '--server', url);
    expect([none.code, none.stderr]).toEqual([
      5,
      expect.stringMatching(/no key(.|\n)*TASKFLOW_TOKEN(.|\n)*token create/),
    ]);
    const wrong = await behindServer.run(['queue', 'list'], true, { TASKFLOW_TOKEN: 'tf_api_wrong' });
    expect([wrong.code, wrong.stderr]).toEqual([5, expect.stringMatching(/unknown(.|\n)*TASKFLOW_TOKEN/)]);
    const other = await withKey('read', 'queue', 'pause', 'email');
    expect([other.code, other.stderr]).toEqual([5, expect.stringMatching(/needs the scope operate(.|\n)*--scopes/)]);
    expect((await withKey('read', 'queue', 'list')).code).toBe(0);
  });

  test('a key may be in a file', async () => {
    writeFileSync(join(behindServer.folder, 'key'), `${behindServer.server.admin}\n`);
    const { url } = behindServer.server;
    expect((await ask('queue', 'list', '--server', url, '--token-file', 'key')).code).toBe(0);
    const missing = await ask('queue', 'list', '--server', url, '--token-file', 'nowhere');
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('nowhere')]);
    expect((await ask('queue', 'list', '--token-file', 'key')).code).toBe(2);
  });

  test.each([
    [
      404,
      'application/problem+json',
      '{"code":"NOT_FOUND","detail":"There is nothing at /api/v1/queues."}',
      'queue.list',
    ],
    [200, 'text/html', '<html>', 'no TaskFlow'],
    [302, 'text/html', '', 'sends whoever asks to https://elsewhere.example'],
  ])('one that answers %i with %s %s', async (status, type, body, words) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, {
        'content-type': type,
        ...(status === 302 && { location: 'https://elsewhere.example/' }),
      });
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { code, stderr } = await ask('queue', 'list', '--server', `http://127.0.0.1:${port}`);
      expect([code, stderr]).toEqual([6, expect.stringContaining(words)]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('a server may be named by the environment, wherever the command line names no store', async () => {
    const { server, folder } = behindServer;
    const env = { TASKFLOW_SERVER: server.url, TASKFLOW_TOKEN: 'tf_api_wrong' };
    const codeOf = async (...words: readonly string[]) => (await runIn(folder, words, env)).code;
    expect([await codeOf('queue', 'list'), await codeOf('worker', 'list')]).toEqual([5, 5]);
    expect(await codeOf('queue', 'list', '--broker', 'sqlite::memory:')).toBe(0);
    expect([await codeOf('version'), await codeOf('db', 'status'), await codeOf('config', 'validate')]).toEqual([
      0, 0, 0,
    ]);
    expect((await runIn(folder, ['queue', 'list'], { ...env, TASKFLOW_TOKEN: server.admin })).code).toBe(0);
  });

  test('a server and a store of the environment are not chosen between, and a flag says which it is', async () => {
    const { server, folder } = behindServer;
    for (const name of ['TASKFLOW_BROKER', 'TASKFLOW_STORE', 'TASKFLOW_NAMESPACE']) {
      const env = { TASKFLOW_SERVER: server.url, TASKFLOW_TOKEN: server.admin, [name]: 'sqlite::memory:' };
      for (const words of ['queue list', 'worker start', 'config list']) {
        const { code, stderr } = await runIn(folder, words.split(' '), env);
        expect([words, code, stderr]).toEqual([words, 2, expect.stringContaining(`TASKFLOW_SERVER and ${name}`)]);
      }
    }
    const env = { TASKFLOW_SERVER: server.url, TASKFLOW_TOKEN: server.admin, TASKFLOW_BROKER: 'sqlite::memory:' };
    const at = async (...words: readonly string[]) => (await runIn(folder, ['queue', 'list', ...words], env)).stdout;
    expect(await at('--broker', 'sqlite::memory:')).toBe('');
    expect(await at('--server', server.url)).not.toBe('');
    const valid = await runIn(folder, ['config', 'validate'], env);
    expect([valid.code, valid.stderr]).toEqual([0, expect.stringContaining('TASKFLOW_SERVER and TASKFLOW_BROKER')]);
    for (const name of ['TASKFLOW_BROKER', 'TASKFLOW_SERVER'])
      expect((await runIn(folder, ['queue', 'list'], { ...env, [name]: ' ' })).code).toBe(0);
  });

  test('a server and its key may be named in .env, behind the environment and before the config file', async () => {
    const { server } = behindServer;
    const folder = mkdtempSync(join(tmpdir(), 'taskflow-dotenv-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const inFolder = (words: string, env: Readonly<Record<string, string>> = {}) =>
      runIn(folder, words.split(' '), env);
    mkdirSync(join(folder, 'below'));
    writeFileSync(join(folder, 'package.json'), '{}');
    writeFileSync(join(folder, '.env'), `TASKFLOW_SERVER=${server.url}\nTASKFLOW_TOKEN=tf_api_wrong\n`);
    expect((await inFolder('queue list')).code).toBe(5);
    expect((await inFolder('queue list', { TASKFLOW_TOKEN: server.admin })).stdout).not.toBe('');
    expect((await inFolder('queue list --broker sqlite::memory:')).stdout).toBe('');
    // The environment names a store, and speaks first.
    expect(await inFolder('queue list', { TASKFLOW_BROKER: 'sqlite::memory:' })).toMatchObject({ code: 0, stdout: '' });

    writeFileSync(join(folder, 'key'), server.admin);
    writeFileSync(join(folder, '.env.local'), 'TASKFLOW_TOKEN_FILE=key\n');
    const listed = await inFolder('queue list --cwd below');
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining('default')]);
    expect((await inFolder('config list')).stderr).toContain('which TASKFLOW_SERVER of .env names');

    writeFileSync(join(folder, '.env.local'), `TASKFLOW_SERVER=${server.url}\nTASKFLOW_BROKER=sqlite::memory:\n`);
    const both = 'TASKFLOW_SERVER and TASKFLOW_BROKER of .env.local';
    for (const [words, code] of [
      ['queue list', 2],
      ['config validate', 0],
      ['version', 0],
    ] as const) {
      const { stderr, ...ended } = await inFolder(words);
      expect([words, ended.code]).toEqual([words, code]);
      if (words !== 'version') expect(stderr).toContain(both);
    }
  });

  test('that a server outranks the store of a config file is said where somebody has named the file', async () => {
    const { server, folder } = behindServer;
    writeFileSync(join(folder, 'named.json'), '{"broker":"sqlite::memory:"}');
    writeFileSync(join(folder, 'silent.json'), '{"server":{"port":8001}}');
    const env = { TASKFLOW_SERVER: server.url, TASKFLOW_TOKEN: server.admin };
    const notes = async (...words: readonly string[]) => (await runIn(folder, ['queue', 'list', ...words], env)).stderr;
    expect(await notes('--config', 'named.json')).toContain('TASKFLOW_SERVER, not the broker of named.json');
    expect(await notes('--config', 'silent.json')).not.toContain('TASKFLOW_SERVER');
    const { stderr } = await runIn(folder, ['config', 'list'], env);
    expect(stderr).toContain(`the server at ${server.url}, which TASKFLOW_SERVER names`);
  });

  test('what a server is not asked for', async () => {
    const { url } = behindServer.server;
    for (const words of ['up', 'db status', 'server stop', 'version', 'config validate', 'run double --local'])
      expect([words, (await ask(...words.split(' '), '--server', url)).code]).toEqual([words, 2]);
    const both = await ask('queue', 'list', '--server', url, '--broker', 'sqlite::memory:');
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--server and --broker do not go together')]);
  });
});
