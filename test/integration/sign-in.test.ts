/** Tests that a server lets in who has a key or a session, and nobody else: routes, cookies, forms of other sites, guesses. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { apiRoutes } from '../../src/api/routes.ts';
import { limits } from '../../src/core/limits.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { cookieOf, type GuardedServer, ownPage, startGuarded } from '../support/guarded.ts';
import { base, expectProblem } from '../support/http.ts';

let server: GuardedServer;
beforeEach(async () => {
  server = await startGuarded();
});
afterEach(() => server.close());

const post = (fields: Record<string, string>, headers: Record<string, string> = ownPage): RequestInit => ({
  method: 'POST',
  headers,
  body: new URLSearchParams(fields),
});

/** A path of a route, with something in place of its parameters. */
const pathOf = (path: string) => path.replaceAll(/:\w+/g, 'x');

describe('without a key', () => {
  const pages = createPages({ version: '0' });
  const open = ['GET /healthz', 'GET /readyz', 'GET /health'];
  const routes = apiRoutes.map(({ method, path }) => [method, path] as const);

  test.each(routes.filter(([method, path]) => !open.includes(`${method} ${path}`)))(
    '%s %s is refused',
    async (method, path) => {
      const response = await server.ask(pathOf(path), { method });
      const problem = await expectProblem(response, 401, 'UNAUTHENTICATED');
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="taskflow"');
      expect(Object.keys(problem).sort()).toEqual(['code', 'detail', 'hint', 'requestId', 'status', 'title', 'type']);
    },
  );

  test('probes tell a status and nothing more', async () => {
    for (const path of ['/healthz', '/readyz', '/health'])
      expect(Object.keys((await (await server.ask(path)).json()) as object)).not.toContain('workers');
  });

  test.each(pages.routes.filter(({ role }) => role !== 'anyone').map(({ method, path }) => [method, path] as const))(
    'the page %s %s asks to sign in',
    async (method, path) => {
      const response = await server.ask(pathOf(path), { method, headers: ownPage });
      expect([response.status, response.headers.get('location')]).toEqual([
        303,
        expect.stringMatching(/^(\.\.?\/)+login/),
      ]);
    },
  );

  test('the files of the pages are there for the page to sign in', async () => {
    const page = await (await server.ask('/login')).text();
    const [, sheet = ''] = /href="\.\/(assets\/[^"]+\.css)"/.exec(page) ?? [];
    expect((await server.ask(`/${sheet}`)).status).toBe(200);
  });
});

test('a route that says no role keeps the server from being put together', () => {
  const pages = createPages({ version: '0' });
  const { role: _role, ...forgotten } = pages.routes[0]!;
  const routes = [{ ...forgotten, path: '/new' } as (typeof pages.routes)[number]];
  const build = () => createApp({ context: server.context, pages: { ...pages, routes }, report: () => undefined });
  expect(build).toThrow('GET /new says which role may ask for it');
});

describe('with a key', () => {
  test('a program is let in until the key is revoked', async () => {
    const { key, token } = await server.newKey({ role: 'viewer' });
    expect((await server.askWith(token, '/api/v1/queues')).status).toBe(200);
    await expectProblem(await server.askWith(token, '/api/v1/tasks/x', { method: 'DELETE' }), 403, 'FORBIDDEN');
    await server.access.keys.revoke(key.id);
    await expectProblem(await server.askWith(token, '/api/v1/queues'), 401, 'UNAUTHENTICATED');
  });

  test('a key of a program does what it is for, and nothing else', async () => {
    const { token } = await server.newKey({ kind: 'api', role: 'operator', scopes: ['read'] });
    expect((await server.askWith(token, '/api/v1/queues')).status).toBe(200);
    await expectProblem(
      await server.askWith(token, '/api/v1/groups/g/pause', { method: 'POST' }),
      403,
      'SCOPE_MISSING',
    );
  });

  test.each(['', 'Basic YTpi', 'Bearer', 'Bearer x', 'Bearer tf_user_01K8Q2M4ZJF0C9YF4V7Z0B2HNX_00', 'tf_user_x'])(
    'what is no key is refused: %j',
    async (authorization) => {
      const { token } = await server.newKey();
      const cookie = await server.signIn(token);
      const response = await server.ask('/api/v1/queues', { headers: { authorization, cookie } });
      await expectProblem(response, 401, 'UNAUTHENTICATED');
    },
  );

  test('nothing of a key stands in an answer that refuses it', async () => {
    const { token } = await server.newKey({ role: 'viewer' });
    const secret = token.slice(-64);
    for (const response of [
      await server.askWith(token, '/api/v1/tokens'),
      await server.askWith(`${token}0`, '/api/v1/tokens'),
      await server.ask('/login', post({ token: `${token}0` })),
    ])
      expect((await response.text()) + JSON.stringify([...response.headers])).not.toContain(secret);
    expect(server.reported).toEqual([]);
  });
});

describe('a session', () => {
  test('begins with the form, goes to where the person wanted, and shows the pages', async () => {
    const { token } = await server.newKey();
    const first = await server.ask('/tasks?q=state%3Afailed');
    expect(first.headers.get('location')).toBe('./login?next=tasks%3Fq%3Dstate%253Afailed');
    const signed = await server.ask('/login', post({ token: ` ${token}\n`, next: 'tasks?q=state%3Afailed' }));
    expect([signed.status, signed.headers.get('location')]).toEqual([303, './tasks?q=state%3Afailed']);
    const page = await server.ask('/tasks?q=state%3Afailed', { headers: { cookie: cookieOf(signed) } });
    expect(page.status).toBe(200);
    expect(await (await server.ask('/login', { headers: { cookie: cookieOf(signed) } })).text()).toContain(
      '<b>ada</b>',
    );
  });

  test('has a cookie that scripts cannot read, of this host alone where there is TLS', async () => {
    const { token } = await server.newKey();
    const plain = await server.ask('/login', post({ token }));
    expect(plain.headers.get('set-cookie')).toMatch(
      /^tf-8000=[0-9a-f]{64}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Lax$/,
    );
    const said = await server.ask('/login', post({ token }, { ...ownPage, 'x-forwarded-proto': 'https' }));
    expect(cookieOf(said)).toMatch(/^tf-8000=/);
    const overTls = { address: '127.0.0.1', isHttps: true };
    const tls = await server.ask('/login', post({ token }), overTls);
    const cookie = tls.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^__Host-tf=[0-9a-f]{64}; Path=\/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax$/);
    const value = cookieOf(tls).split('=')[1];
    const asPlain = await server.ask('/api/v1/queues', { headers: { cookie: `tf-8000=${value}` } }, overTls);
    expect(asPlain.status).toBe(401);
  });

  test('is told of once where others can read what is sent', async () => {
    const { token } = await server.newKey();
    const named = (host: string) =>
      post({ token }, { 'sec-fetch-site': 'same-origin', origin: `http://${host}`, host });
    await server.ask('/login', named('127.0.0.1:8000'));
    await server.ask('/login', named('tasks.test'), { address: '203.0.113.9', isHttps: true });
    expect(server.warned).toEqual([]);
    for (let time = 0; time < 2; time++) await server.ask('/login', named('tasks.test'));
    expect(server.warned).toEqual([expect.stringContaining('signed in at tasks.test without TLS')]);
  });

  test('of who reaches some queues shows the tasks of these, and leads to them', async () => {
    const { token } = await server.newKey({ role: 'operator', queues: ['mail.*'] });
    const admin = await server.newKey();
    const put = async (queue: string) => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
      const body = JSON.stringify({ name: `of-${queue}`, queue });
      const answer = await server.askWith(admin.token, '/api/v1/tasks', { ...init, body });
      return ((await answer.json()) as { id: string }).id;
    };
    const [own, other] = [await put('mail.out'), await put('billing')];
    const headers = { cookie: await server.signIn(token) };
    const page = async (path: string) => {
      const answer = await server.ask(path, { headers });
      return [answer.status, await answer.text()] as const;
    };
    const overview = await server.ask('/', { headers });
    expect([overview.status, overview.headers.get('location')]).toEqual([303, './tasks']);
    const [status, list] = await page('/tasks');
    expect([status, list.includes('of-mail.out'), list.includes('billing')]).toEqual([200, true, false]);
    expect(list).toContain('<b data-n="queued">1</b>');
    expect(list).toContain('topics="all"');
    expect((await page(`/tasks/${own}`))[0]).toBe(200);
    expect((await page('/tasks/matching?action=cancel&q=state:queued'))[1]).toContain('Cancel 1 task?');
    expect((await page(`/tasks/${other}`))[0]).toBe(403);
    expect((await page('/schedules'))[0]).toBe(403);
  });

  test.each(['//evil.example', 'https://evil.example/', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)'])(
    'never leads to another site: %s',
    async (next) => {
      const { token } = await server.newKey();
      const location = (await server.ask('/login', post({ token, next }))).headers.get('location') ?? '';
      expect(new URL(location, `${base}/login`).origin).toBe(base);
    },
  );

  test('has a new secret at each sign-in, and the one before is worth nothing', async () => {
    const { token } = await server.newKey();
    const planted = `tf-8000=${'a'.repeat(64)}`;
    const init = post({ token }, { ...ownPage, cookie: planted });
    const first = cookieOf(await server.ask('/login', init));
    expect(first).not.toBe(planted);
    const second = cookieOf(await server.ask('/login', post({ token }, { ...ownPage, cookie: first })));
    expect((await server.ask('/api/v1/queues', { headers: { cookie: planted } })).status).toBe(401);
    expect((await server.ask('/api/v1/queues', { headers: { cookie: first } })).status).toBe(401);
    expect((await server.ask('/api/v1/queues', { headers: { cookie: second } })).status).toBe(200);
  });

  test('is over when the person signs out: the cookie is of no use to who kept it', async () => {
    const { token } = await server.newKey();
    const cookie = await server.signIn(token);
    const out = await server.ask('/logout', { method: 'POST', headers: { ...ownPage, cookie } });
    expect(out.headers.get('set-cookie')).toMatch(/^tf-8000=; Path=\/; Max-Age=0;/);
    expect((await server.ask('/api/v1/queues', { headers: { cookie } })).status).toBe(401);
    const query = { actor: null, operation: 'session.end', from: null, to: null, after: null, limit: 5 };
    expect(await server.access.audit.list(query)).toMatchObject([
      { actor: 'ada', text: 'signed out', outcome: 'done' },
    ]);
  });

  test('is over when its key is revoked, when it was not used for half an hour, and when an admin ends it', async () => {
    const { key, token } = await server.newKey();
    const admin = await server.newKey();
    const [one, two] = [await server.signIn(token), await server.signIn(admin.token)];
    const { sessions } = (await (await server.askWith(admin.token, '/api/v1/sessions')).json()) as {
      sessions: { id: string; key: string }[];
    };
    expect(sessions.map((session) => session.key)).toEqual([admin.key.id, key.id]);
    await server.access.keys.revoke(key.id);
    await server.askWith(admin.token, `/api/v1/sessions/${sessions[0]!.id}`, { method: 'DELETE' });
    await server.move(limits.accessFreshMs);
    for (const cookie of [one, two])
      expect((await server.ask('/api/v1/queues', { headers: { cookie } })).status).toBe(401);
    const three = await server.signIn(admin.token);
    await server.move(limits.sessionIdleMs);
    expect((await server.ask('/api/v1/queues', { headers: { cookie: three } })).status).toBe(401);
  });

  test('begins by a link, once', async () => {
    const { key } = await server.newKey();
    const link = await server.access.sessions.createLink(key.id);
    // Who looks whether there is something there, as previews of links do, does not use it up.
    const looked = await server.ask(`/login/${link}`, { method: 'HEAD' });
    expect([looked.status, looked.headers.get('set-cookie')]).toEqual([200, null]);
    const opened = await server.ask(`/login/${link}`);
    expect([opened.status, opened.headers.get('location')]).toEqual([303, '../']);
    const cookie = cookieOf(opened);
    expect((await server.ask('/', { headers: { cookie } })).status).toBe(200);
    const again = await server.ask(`/login/${link}`);
    expect([again.status, await again.text()]).toEqual([401, expect.stringContaining('used already')]);
    expect((await server.ask(`/login/${link}`, { headers: { cookie } })).status).toBe(303);
  });
});

describe('a page that says what went wrong', () => {
  const unknown = '/tasks/01M5VJ1JKVEAEA4M5KQDB7PFVC';
  const failing = async (): Promise<never> => {
    throw new Error('a defect');
  };

  test.each([
    ['an address that is none', 404, '/nope', {}],
    ['a task that is none', 404, unknown, {}],
    ['what the role may not do', 403, `${unknown}/cancel`, { method: 'POST', headers: ownPage }],
    ['an error of the program', 500, '/tasks', {}],
  ])('knows who is signed in, and their theme: %s', async (_what, status, path, init: RequestInit) => {
    const cookie = await server.signIn((await server.newKey({ role: 'viewer' })).token);
    if (status === 500) Object.assign(server.store.broker, { info: failing });
    const headers = { ...(init.headers as Record<string, string>), cookie: `${cookie}; tf-theme=dark` };
    const response = await server.ask(path, { ...init, headers });
    const html = await response.text();
    expect([response.status, html]).toEqual([status, expect.stringContaining('data-theme="dark"')]);
    for (const words of ['Signed in as ada: settings and sign out', '<b>ada</b>', 'viewer', 'Sign out'])
      expect(html).toContain(words);
  });

  test('tells nothing of anybody to who is not, and costs no look into the store', async () => {
    const { token } = await server.newKey();
    const before = server.lookups();
    const asked: RequestInit[] = [
      {},
      { headers: { cookie: 'tf-theme=dark; other=1' } },
      { headers: { authorization: `Bearer ${token}` } },
      { method: 'POST', headers: { origin: 'https://evil.example' } },
    ];
    for (const init of asked) {
      const html = await (await server.ask('/nope', init)).text();
      expect(html).not.toMatch(/Signed in|Sign out|ada|server/);
    }
    expect(server.lookups()).toBe(before);
    const stale = await server.ask('/nope', { headers: { cookie: 'tf-8000=made-up' } });
    expect([stale.status, await stale.text()]).toEqual([404, expect.not.stringContaining('Signed in')]);
  });

  test('is the same for everybody where nobody has to sign in', async () => {
    const { context } = server;
    const open = createApp({ context, pages: createPages({ version: '0' }), report: () => undefined });
    const ask = async (path: string, headers = {}) => (await open(new Request(base + path, { headers }))).text();
    expect(await ask('/nope')).toContain('Signed in as server');
    // Whoever has pointed a name of theirs at this machine reads what it answers.
    expect(await ask('/nope', { host: 'evil.example' })).not.toContain('Signed in');
  });
});

describe('a change asked for with a cookie', () => {
  const change = async (headers: Record<string, string>) => {
    const { token } = await server.newKey();
    const cookie = await server.signIn(token);
    return server.ask('/api/v1/groups/g/pause', {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie, ...headers },
      body: '{}',
    });
  };

  test.each<[string, Record<string, string>]>([
    ['nothing said', {}],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['another site that says our origin', { 'sec-fetch-site': 'cross-site', origin: base }],
    ['our site from another host', { 'sec-fetch-site': 'same-site', origin: 'http://other.127.0.0.1:8000' }],
    ['typed in', { 'sec-fetch-site': 'none', origin: base }],
    ['no origin', { 'sec-fetch-site': 'same-origin' }],
    ['an origin of null', { 'sec-fetch-site': 'same-origin', origin: 'null' }],
    ['another port', { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:9000' }],
    ['an old browser on this machine', { origin: base }],
    ['a text', { 'content-type': 'text/plain', origin: 'https://evil.example' }],
    ['another method in a header', { 'x-http-method-override': 'GET' }],
  ])('is refused: %s', async (_words, headers) => {
    await expectProblem(await change(headers), 403, 'CROSS_ORIGIN');
    expect(await server.store.broker.getGroups(null, 1)).toEqual([]);
  });

  test('is done for our own page', async () => {
    expect((await change(ownPage)).status).toBe(200);
  });

  test('needs no browser where there is a key', async () => {
    const { token } = await server.newKey();
    expect((await server.askWith(token, '/api/v1/groups/g/pause', { method: 'POST' })).status).toBe(200);
  });
});

describe('who guesses', () => {
  const guess = (token: string, address = '203.0.113.5') => server.ask('/login', post({ token }), { address });

  test('waits, whichever server they ask, and is let in with the right key afterwards', async () => {
    const { token } = await server.newKey();
    const wrong = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`;
    for (let n = 0; n < limits.triesFree; n++) expect((await guess(wrong)).status).toBe(401);
    const refused = await guess(token);
    expect([refused.status, await refused.text()]).toEqual([
      429,
      expect.stringContaining('next try may be made in 1 s'),
    ]);
    await server.move(1_000);
    expect((await guess(token)).status).toBe(303);
  });

  test('does not keep others of the same address from other accounts for long, nor anybody elsewhere', async () => {
    const { token } = await server.newKey();
    for (let n = 0; n < 20; n++) await guess('nonsense');
    expect((await guess(token)).status).toBe(429);
    expect((await guess(token, '198.51.100.7')).status).toBe(303);
    await server.move(limits.triesAddressMaxMs);
    expect((await guess(token)).status).toBe(303);
  });

  test('is told beside the field, in words for a person', async () => {
    const page = await (await server.ask('/login', post({ token: 'wrong' }))).text();
    expect(page).toMatch(/<form[^>]*data-leaves/);
    expect(page).toMatch(/role="alert">Not let in: this key is unknown, revoked or expired\.<\/p>/);
  });

  test('learns nothing from the answer: an unknown key is refused as a wrong one is', async () => {
    const { token } = await server.newKey();
    const unknown = `tf_user_01K8Q2M4ZJF0C9YF4V7Z0B2HNX_${'0'.repeat(64)}`;
    const texts = await Promise.all([unknown, `${token.slice(0, -1)}x`].map(async (one) => (await guess(one)).text()));
    expect(texts[0]).toBe(texts[1]);
  });
});
