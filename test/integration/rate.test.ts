/** Tests how often callers may ask: by key, by address, with wrong keys, on a clock that the test moves. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { costs } from '../../src/api/costs.ts';
import { limits } from '../../src/core/limits.ts';
import { operations } from '../../src/operations/registry.ts';
import { type GuardedServer, startGuarded } from '../support/guarded.ts';
import { expectProblem, json } from '../support/http.ts';

const perKey = 20;
const perAddress = 4;
const here = { address: '192.0.2.1' };
const there = { address: '192.0.2.2' };
let server: GuardedServer;
beforeEach(async () => {
  server = await startGuarded({ perKey, perAddress });
});
afterEach(() => server.close());

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const ofQueue = '/api/v1/queues/mail';

/** Asks until it is refused; answers how often it was not, and the refusal. */
async function exhaust(ask: () => Promise<Response>, most = 1_000): Promise<{ passed: number; refusal: Response }> {
  for (let passed = 0; passed < most; passed++) {
    const response = await ask();
    if (response.status === 429) return { passed, refusal: response };
    await response.text();
  }
  throw new Error(`nothing was refused of ${most}`);
}

test('a large body is read when it is its turn, and no other one waits for any', async () => {
  const { token } = await server.newKey();
  const turns = vi.spyOn(server.gate, 'bodyTurn');
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const response = await server.askWith(token, path, { method: 'POST', headers, body: JSON.stringify(body) });
    return [response.status < 300, turns.mock.calls.length];
  };
  const large = { name: 'a', input: 'x'.repeat(limits.turnBodyBytesMin) };
  expect(await post('/api/v1/tasks', { name: 'a' })).toEqual([true, 0]);
  expect(await post('/api/v1/tasks', large)).toEqual([true, 1]);
  expect(await post('/api/v1/tasks/batch', { tasks: [large] })).toEqual([true, 2]);
  expect(turns.mock.lastCall).toEqual([expect.objectContaining({ name: 'ada' }), '127.0.0.1']);
});

describe('a key', () => {
  test('may ask so often at once, is told how long to wait, and goes on after that', async () => {
    const { token } = await server.newKey();
    const { passed, refusal } = await exhaust(() => server.askWith(token, ofQueue));
    expect(passed).toBe(perKey * limits.requestBurstSeconds);
    expect(refusal.headers.get('retry-after')).toBe('1');
    expect(refusal.headers.get('ratelimit-policy')).toBe('"default";q=100;w=5');
    expect(refusal.headers.get('ratelimit')).toBe('"default";r=0;t=5');
    await expectProblem(refusal, 429, 'RATE_LIMITED', 'This key asks for more than 20 requests a second');
    await server.move(1_000);
    expect((await exhaust(() => server.askWith(token, ofQueue))).passed).toBe(perKey);
  });

  test('is told what is left from half of it on, and nothing before', async () => {
    const { token } = await server.newKey();
    const told: (string | null)[] = [];
    for (let time = 0; time < 60; time++) told.push((await server.askWith(token, ofQueue)).headers.get('ratelimit'));
    expect(told.findIndex((one) => one !== null)).toBe(50);
    expect(told.at(-1)).toBe('"default";r=40;t=3');
  });

  test('takes nothing from another one of the same address, nor from who has none', async () => {
    const [first, second] = [await server.newKey(), await server.newKey()];
    await exhaust(() => server.askWith(first.token, ofQueue));
    expect((await server.askWith(second.token, ofQueue)).status).not.toBe(429);
    expect((await server.ask('/login')).status).toBe(200);
  });

  test('shares its budget with the sessions that began with it, wherever they are', async () => {
    const { token } = await server.newKey();
    const cookie = await server.signIn(token);
    await exhaust(() => server.ask(ofQueue, { headers: { cookie } }, here));
    expect((await server.ask(ofQueue, bearer(token), there)).status).toBe(429);
  });

  test('pays more for what costs more', async () => {
    const { token } = await server.newKey();
    const { passed } = await exhaust(() => server.askWith(token, '/api/v1/tasks'));
    expect(passed).toBe((perKey * limits.requestBurstSeconds) / (costs['task.list'] ?? 0));
  });

  test('may have a rate of its own, in place of that of every key, which its sessions share', async () => {
    const { token } = await server.newKey({ rate: { count: 6, perMs: 60_000 } });
    const cookie = await server.signIn(token);
    const { passed, refusal } = await exhaust(() => server.ask(ofQueue, { headers: { cookie } }, here));
    expect(passed).toBe(6);
    expect(refusal.headers.get('retry-after')).toBe('10');
    expect(refusal.headers.get('ratelimit-policy')).toBe('"default";q=6;w=60');
    await expectProblem(refusal, 429, 'RATE_LIMITED', 'This key asks for more than 6 requests in 1m');
    expect((await server.ask(ofQueue, bearer(token), there)).status).toBe(429);
    await server.move(30_000);
    expect((await exhaust(() => server.askWith(token, ofQueue))).passed).toBe(3);
    const faster = await server.newKey({ rate: { count: 50, perMs: 1_000 } });
    expect((await exhaust(() => server.askWith(faster.token, ofQueue))).passed).toBe(50 * limits.requestBurstSeconds);
  });

  test('is made with its rate, and shown with it', async () => {
    const { token } = await server.newKey();
    const make = (rate: object) =>
      server.askWith(token, '/api/v1/tokens', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ label: 'shop', scopes: ['enqueue'], rate }),
      });
    const made = (await (await make({ limit: 100, per: '1m' })).json()) as { readonly id: string };
    expect(made).toMatchObject({ rate: { count: 100, perMs: 60_000 } });
    const { tokens } = (await (await server.askWith(token, '/api/v1/tokens')).json()) as { readonly tokens: object[] };
    expect(tokens).toMatchObject([{ id: made.id, rate: { count: 100, perMs: 60_000 } }, { rate: null }]);
    await server.move(10_000);
    await expectProblem(await make({ limit: 0, per: '1m' }), 400, 'INVALID_OPTION', 'rate.limit');
    await expectProblem(await make({ limit: 1_000_000, per: 1 }), 400, 'INVALID_OPTION', 'rate');
  });

  test('a person gets a page that says so', async () => {
    const { token } = await server.newKey();
    const cookie = await server.signIn(token);
    const { refusal } = await exhaust(() => server.ask('/', { headers: { cookie } }));
    expect(refusal.headers.get('content-type')).toContain('text/html');
    expect(await refusal.text()).toContain('requests a second');
  });
});

describe('an address', () => {
  test('without a key may ask so often, and its neighbours as before', async () => {
    const { passed } = await exhaust(() => server.ask('/login', {}, here));
    expect(passed).toBe(perAddress * limits.requestBurstSeconds);
    expect((await server.ask('/login', {}, there)).status).toBe(200);
    await server.move(1_000);
    expect((await exhaust(() => server.ask(ofQueue, {}, here))).passed).toBe(perAddress);
  });

  test.each([
    ['what is not there', 'GET', '/nonsense'],
    ['what the API does not have', 'GET', '/api/v1/nonsense'],
    ['methods that are not', 'PUT', ofQueue],
    ['methods there are', 'OPTIONS', ofQueue],
  ])('pays for asking for %s', async (_what, method, path) => {
    const { passed } = await exhaust(() => server.ask(path, { method }, here));
    expect(passed).toBe(perAddress * limits.requestBurstSeconds);
    expect((await server.ask('/login', {}, here)).status).toBe(429);
    expect((await server.ask('/login', {}, there)).status).toBe(200);
  });

  test('of version 6 is its whole network', async () => {
    let host = 0;
    await exhaust(() => server.ask('/login', {}, { address: `2001:db8:1:2::${(host++).toString(16)}` }));
    expect((await server.ask('/login', {}, { address: '2001:db8:1:3::1' })).status).toBe(200);
  });

  test('has a key that works, and a session, whatever was used up without', async () => {
    const { token } = await server.newKey();
    const cookie = await server.signIn(token);
    await server.move(60_000);
    await exhaust(() => server.ask(ofQueue, { headers: { cookie: `tf-8000=${'0'.repeat(64)}` } }, here));
    expect((await server.ask(ofQueue, bearer(token), here)).status).not.toBe(429);
    expect((await server.ask(ofQueue, { headers: { cookie } }, here)).status).not.toBe(429);
  });

  test('reaches the probes however often they were asked', async () => {
    await exhaust(() => server.ask('/login', {}, here));
    for (let time = 0; time < 500; time++) {
      expect((await server.ask('/healthz', {}, here)).status).toBe(200);
      expect((await server.ask('/healthz', { method: 'OPTIONS' }, here)).status).toBe(204);
      expect([200, 503]).toContain((await server.ask('/readyz', {}, here)).status);
    }
  });
});

describe('wrong keys', () => {
  let guessed = 0;
  /** No two alike, as one who guesses sends them. */
  const guess = (peer = here) => {
    const secret = String(guessed++).padStart(64, '0');
    return server.ask(ofQueue, bearer(`tf_api_${'0'.repeat(26)}_${secret}`), peer);
  };

  test('are refused after some, with a time to wait, and looked at again after it', async () => {
    const { passed, refusal } = await exhaust(guess);
    expect(passed).toBe(limits.wrongKeysPerAddress);
    expect(refusal.headers.get('retry-after')).toBe('6');
    await expectProblem(refusal, 429, 'TOO_MANY_TRIES');
    expect((await guess(there)).status).toBe(401);
    await server.move(60_000);
    await expectProblem(await guess(), 401, 'UNAUTHENTICATED');
  });

  test('of others lock out no right one of that address, also one that is new to the server', async () => {
    const { token } = await server.newKey();
    await exhaust(guess);
    expect((await server.ask(ofQueue, bearer(token), here)).status).not.toBe(429);
    await server.move(60_000);
    await exhaust(guess);
    await server.move(5_000);
    const fresh = await server.newKey();
    await server.move(limits.rosterMs);
    expect((await server.ask(ofQueue, bearer(fresh.token), here)).status).not.toBe(429);
  });

  test('leave one row in the audit when it begins, not one each', async () => {
    for (let time = 0; time < 300; time++) await guess();
    const { token } = await server.newKey();
    const { rows } = await json(await server.askWith(token, '/api/v1/audit'));
    expect(rows).toMatchObject([{ operation: 'key.verify', address: here.address, outcome: 'TOO_MANY_TRIES' }]);
  });

  test('of many addresses together cost no look into the store each, and lock nobody out', async () => {
    const { token } = await server.newKey();
    const before = server.lookups();
    let refused = 0;
    for (let time = 0; time < 2_000; time++) {
      const response = await guess({ address: `198.51.100.${time % 250}` });
      if (response.status === 429) refused += 1;
    }
    expect(refused).toBeGreaterThan(1_000);
    expect(server.lookups() - before).toBeLessThan(limits.wrongKeysOverall * 2);
    expect((await server.ask(ofQueue, bearer(token), { address: '198.51.100.7' })).status).not.toBe(429);
    const rows = await server.access.audit.list({
      actor: null,
      operation: 'key.verify',
      from: null,
      to: null,
      after: null,
      limit: 1_000,
    });
    expect(rows.length).toBeLessThanOrEqual(limits.wrongKeysToldMax);
  });

  test('of one whose name is right are refused alike', async () => {
    const { key, token } = await server.newKey();
    const wrong = token.replace(/[0-9a-f]{64}$/, () => 'f'.repeat(64));
    const { passed } = await exhaust(() => server.ask(ofQueue, bearer(wrong), here));
    expect([passed, key.label]).toEqual([limits.wrongKeysPerAddress, 'ada']);
  });
});

test('callers are forgotten when they ask no more', async () => {
  for (let caller = 0; caller < 1_000; caller++)
    await server.ask('/login', {}, { address: `10.0.${caller >> 8}.${caller & 255}` });
  expect(server.gate.size).toBe(1_000);
  await server.move(limits.requestForgetMs * 3);
  expect(server.gate.size).toBe(0);
});

test('every operation with a cost is one', () => {
  for (const name of Object.keys(costs)) expect(Object.keys(operations)).toContain(name);
});
