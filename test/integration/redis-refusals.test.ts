/** Redis that will not do, or will not have us: each said in one line, with the next thing to do, and never made do with. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { readRedisUrl } from '../../src/broker/redis/url.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { startRedis } from '../../src/servers/redis.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

/** What opening this URL is refused with. */
async function refusal(url: string): Promise<TaskFlowError> {
  const broker = createRedisBroker({ address: readRedisUrl(url), namespace: 'refused' });
  const error = await broker.open().then(
    () => null,
    (reason: unknown) => reason,
  );
  await broker.close();
  expect(error).toBeInstanceOf(TaskFlowError);
  const told = error as TaskFlowError;
  // One line, with the next thing to do, and without the password.
  expect(`${told.message} ${told.hint}`).toMatch(/^[^\n]+$/);
  expect(told.hint).toMatch(/./);
  expect(told.message).not.toContain('secret');
  return told;
}

async function openAt(url: string) {
  const broker = createRedisBroker({ address: readRedisUrl(url), namespace: 'taskflow' });
  onTestFinished(() => broker.close());
  await broker.open();
  return broker;
}

await onOwnRedis((server) => {
  const { port } = server;
  let admin: Redis;
  beforeEach(() => {
    admin = new Redis({ path: server.path });
  });
  afterEach(async () => {
    await admin.config('SET', 'appendonly', 'no', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
    await admin.flushall();
    admin.disconnect();
  });
  const url = (login = '', options = 'durability=any'): string => `redis://${login}127.0.0.1:${port}?${options}`;

  describe('who may not', () => {
    test.each([
      ['a wrong password', 'default:secret-no@', /WRONGPASS/],
      ['an unknown user', 'nobody:secret@', /WRONGPASS/],
    ])('%s', async (_what, login, message) => {
      await admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>known', 'on');
      await admin.auth('known');
      onTestFinished(async () => {
        const back = new Redis({ path: server.path, password: 'known' });
        await back.call('ACL', 'SETUSER', 'default', 'nopass');
        back.disconnect();
      });
      const told = await refusal(url(login));
      expect(told).toMatchObject({ code: 'STORE_UNREACHABLE', exitCode: 6, message });
      expect(told.hint).toContain('user and the password');
      expect(await refusal(url())).toMatchObject({ code: 'STORE_UNREACHABLE', message: /NOAUTH/ });
    });

    test('a user without the rights of the scripts, named one by one', async () => {
      await admin.call('ACL', 'SETUSER', 'weak', 'on', '>secret', '~{refused}:*', '&{refused}:*', '+@all', '-zadd');
      const told = await refusal(url('weak:secret@'));
      expect(told).toMatchObject({ code: 'STORE_READ_ONLY', exitCode: 6, message: /may not run ZADD on its keys/ });
      expect(told.hint).toContain('~{refused}:*');
    });

    test.each([
      ['without scripts', ['~{refused}:*', '&*', '+@all', '-@scripting']],
      ['without the keys', ['~other:*', '&*', '+@all']],
      ['without the channel', ['~{refused}:*', '+@all']],
    ])('a user %s', async (_what, rules) => {
      await admin.call('ACL', 'SETUSER', 'weak', 'reset', 'on', '>secret', ...rules);
      expect(await refusal(url('weak:secret@'))).toMatchObject({ code: 'STORE_READ_ONLY', message: /NOPERM/ });
    });

    test('the rights of the guide are enough, and nothing is tried beyond them', async () => {
      const guide = readFileSync(join(import.meta.dirname, '../../docs/guide/redis.md'), 'utf8');
      const [, rules = ''] = /^ACL SETUSER taskflow on '>secret' (.+)$/m.exec(guide) ?? [];
      await admin.call('ACL', 'SETUSER', 'taskflow', 'on', '>secret', ...rules.replaceAll("'", '').split(' '));
      await admin.call('ACL', 'LOG', 'RESET');
      const broker = await openAt(url('taskflow:secret@'));
      broker.subscribe(() => {});
      await broker.enqueue([
        newTask(sampleId(1), { key: 'k', group: 'g', limits: [{ name: 'l', max: 1, rate: null }] }),
      ]);
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      await broker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      await broker.outbox?.read(0, 10, 1);
      expect((await broker.info()).detail).toMatch(/append-only/);
      expect(await admin.call('ACL', 'LOG')).toEqual([]);
    });
  });

  describe('what will not do', () => {
    test('a server that keeps less than was asked for', async () => {
      const told = await refusal(url('', ''));
      expect(told).toMatchObject({ code: 'STORE_WEAK', exitCode: 9, message: /no append-only file is volatile/ });
      await admin.config('SET', 'appendonly', 'yes');
      expect(await refusal(url('', 'durability=strict'))).toMatchObject({ code: 'STORE_WEAK', hint: /always/ });
      expect(await (await openAt(url('', ''))).info()).toMatchObject({ durability: 'standard' });
    });

    test('a server whose settings nobody may read, unless anything will do', async () => {
      await admin.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-config', '-info');
      expect(await refusal(url('blind:secret@', ''))).toMatchObject({ code: 'STORE_WEAK', hint: /\+config\|get/ });
      expect(await (await openAt(url('blind:secret@'))).info()).toMatchObject({ durability: 'unverified' });
    });

    test('a server that evicts, also when only INFO says so', async () => {
      await admin.call('ACL', 'SETUSER', 'half', 'on', '>secret', '~*', '&*', '+@all', '-config');
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      for (const login of ['', 'half:secret@'])
        expect(await refusal(url(login))).toMatchObject({ code: 'STORE_EVICTS', message: /allkeys-lru/ });
    });

    test('a database that is not there: nothing is stored in another one', async () => {
      const told = await refusal(`redis://127.0.0.1:${port}/99?durability=any`);
      expect(told).toMatchObject({ code: 'STORE_UNREACHABLE', message: /there is no database 99/ });
      expect(await admin.dbsize()).toBe(0);
    });

    test('a replica', async () => {
      const replica = await startRedis(['--replicaof', '127.0.0.1', String(port)]);
      onTestFinished(() => replica.stop());
      expect(await refusal(`${replica.url}?durability=any`)).toMatchObject({ code: 'STORE_READ_ONLY', hint: /master/ });
    });

    test.each([
      [
        'an old server',
        'HELLO',
        ['server', 'redis', 'version', '6.2.14', 'mode', 'standalone', 'role', 'master'],
        /needs 7\.0/,
      ],
      [
        'a sentinel',
        'HELLO',
        ['server', 'redis', 'version', '7.2.0', 'mode', 'sentinel', 'role', 'master'],
        /is a sentinel/,
      ],
    ])('%s', async (_what, _command, greeting, message) => {
      const told = await refusal(`redis://127.0.0.1:${await greetWith(greeting)}`);
      expect(told).toMatchObject({ code: 'STORE_UNREACHABLE', exitCode: 6, message });
    });

    test('nobody at the address, and nobody of the name', async () => {
      const free = await freePort();
      expect(await refusal(`redis://127.0.0.1:${free}`)).toMatchObject({ message: /ECONNREFUSED/, hint: /runs there/ });
      expect(await refusal('redis://no.such.host.invalid')).toMatchObject({ hint: /name of the host/ });
      const sentinel = await refusal(`redis+sentinel://127.0.0.1:${free}/mymaster`);
      expect(sentinel).toMatchObject({ code: 'STORE_UNREACHABLE', hint: /sentinels in the URL/ });
    });
  });

  describe('with a full memory', () => {
    test('a worker opens, and works off what waits', async () => {
      const first = await openAt(url());
      await first.enqueue([newTask(sampleId(1))]);
      await admin.config('SET', 'maxmemory', '1');
      const worker = await openAt(url());
      const [claimed] = await worker.claim(claimRequest(sampleToken(1)));
      const { results } = await worker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      expect(results).toEqual([{ outcome: 'applied' }]);
    });
  });

  describe('over TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskflow-tls-'));
    const files = makeCertificates(folder);
    const tlsPort = await freePort();
    const secured = await startRedis([
      ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'optional', '--appendonly', 'yes'],
      ...['--tls-ca-cert-file', files.ca, '--tls-cert-file', files.cert, '--tls-key-file', files.key],
    ]);
    afterAll(async () => {
      await secured.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    test('a certificate of a known authority is taken', async () => {
      const broker = await openAt(`rediss://localhost:${tlsPort}?ca=${files.ca}&cert=${files.cert}&key=${files.key}`);
      broker.subscribe(() => {});
      expect(await broker.enqueue([newTask(sampleId(1))])).toMatchObject([{ outcome: 'created' }]);
    });

    test.each([
      ['a certificate of nobody known', `rediss://localhost:${tlsPort}`, /certificate/, /\?ca=/],
      ['a certificate of another host', `rediss://127.0.0.1:${tlsPort}?ca=${files.ca}`, /altnames/, /\?ca=/],
      ['a server that wants TLS', `redis://localhost:${tlsPort}`, /closed/, /begins with rediss:/],
      ['a file that is not there', `rediss://localhost:${tlsPort}?ca=none.pem`, /none\.pem/, /files/],
    ])('%s is refused', async (_what, tlsUrl, message, hint) => {
      expect(await refusal(tlsUrl)).toMatchObject({ code: 'STORE_UNREACHABLE', exitCode: 6, message, hint });
    });
  });
});

/** The port of something that greets with this, and knows no more. */
async function greetWith(greeting: readonly string[]): Promise<number> {
  const text = greeting.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const command of String(bytes).match(/(HELLO|hello|CLIENT|client)/g) ?? [])
        socket.write(/hello/i.test(command) ? `*${greeting.length}\r\n${text}` : '+OK\r\n');
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return port;
}

/** An authority, and a certificate of it for `localhost`. */
function makeCertificates(folder: string) {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '2');
  const names = ['-addext', 'subjectAltName=DNS:localhost'];
  openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', '/CN=localhost', ...names);
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '2'];
  openssl('x509', '-req', '-in', 'request.pem', ...by, '-out', 'cert.pem');
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') };
}
