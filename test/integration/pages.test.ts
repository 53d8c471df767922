/** Tests the pages: what they show, that their forms work without a script, and that nothing a user wrote becomes markup. */
import { beforeEach, describe, expect, test } from 'vitest';
import { internalQueue } from '../../src/core/bulk.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import { beginUndoable } from '../../src/dashboard/undoable.ts';
import { operationCreate, operationGet } from '../../src/operations/bulk.ts';
import { perform } from '../../src/operations/operation.ts';
import { claimRequest, heartbeatRequest } from '../conformance/samples.ts';
import { base, expectProblem, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

async function page(path: string): Promise<string> {
  return (await server.get(path)).text();
}

async function enqueued(body: object = { name: 'text.stats', input: { path: '.' } }): Promise<string> {
  return ((await (await server.post('/api/v1/tasks', body)).json()) as { id: string }).id;
}

describe('the overview', () => {
  test('of an empty system shows three steps, the first one done when a worker is there', async () => {
    const html = await page('/');
    expect(html).toContain('Three steps to your first task');
    expect(html).toContain('A worker is connected');
    expect(html).not.toContain('No tasks');
  });

  test('of an empty system has nobody run a task that no worker knows', async () => {
    const html = await page('/');
    expect(html).not.toContain('demo.hello');
    expect(html.indexOf('tasks/greet.ts')).toBeLessThan(html.indexOf('npx taskflow run greet'));
  });

  test('shows the six numbers, each linking to its tasks', async () => {
    await enqueued();
    const html = await page('/');
    for (const filter of [
      'state%3Aqueued',
      'state%3Arunning',
      'state%3Aretrying',
      'state%3Afailed%2Cquarantined',
      'state%3Asucceeded',
      'state%3Ascheduled',
    ]) {
      expect(html).toContain(`href="./tasks?q=${filter}"`);
    }
    expect(html).toContain('of 12 slots');
  });

  test('says what needs attention, with the command that helps', async () => {
    await enqueued({ name: 'a', queue: 'lonely' });
    expect(await page('/')).toContain('taskflow worker start --queues lonely');
    await server.store.broker.configure('queue', 'lonely', { pause: { by: 'ada', reason: 'month end' } });
    expect(await page('/')).toContain('Queue lonely is paused and has 1 waiting task');
  });

  test('shows the six most severe, and how many more there are', async () => {
    for (let number = 0; number < 6; number++) await enqueued({ name: `a${number % 3}`, queue: `lonely-${number}` });
    for (const name of ['lonely-0', 'lonely-1', 'lonely-2'])
      await server.store.broker.configure('queue', name, { pause: { by: 'ada', reason: null } });
    const html = await page('/');
    expect(html.match(/class="problem"/g)).toHaveLength(6);
    expect(html).toMatch(/3 more, none more severe\./);
  });

  test('tells many that are alike together, with a link to all of them', async () => {
    for (let number = 0; number < 9; number++) await enqueued({ name: 'a', queue: `lonely-${number}` });
    const html = await page('/');
    expect(html.match(/class="problem"/g)).toHaveLength(2);
    expect(html).toContain('9 queues have no worker: lonely-0, lonely-1, lonely-2 and 6 more');
    expect(html).toContain('href="./#queues"');
  });

  test('names tasks of transactions that the broker does not take', async () => {
    await enqueued();
    const relay = { status: async () => ({ waiting: 0, setAside: 2, lagMs: 0 }) };
    const store = Object.assign(server.store, { relay });
    const html = await page('/');
    Reflect.deleteProperty(store, 'relay');
    expect(html).toContain('The broker does not take 2 tasks of your transactions');
    expect(html).toContain('taskflow relay list');
  });

  test('with a filter in its address is the list', async () => {
    await enqueued();
    expect(await page('/?q=name:text.*')).toContain('value="name:text.*"');
  });
});

describe('the list', () => {
  test('keeps a filter with a mistake in its box, and marks the place', async () => {
    const response = await server.get('/tasks?q=name:a%20stat:failed');
    const html = await response.text();
    expect(response.status).toBe(400);
    expect(html).toContain('value="name:a stat:failed"');
    expect(html).toContain('Did you mean state');
    expect(html).toContain(`\n${' '.repeat(7)}^`);
  });

  test('leads to older tasks and back', async () => {
    for (let count = 0; count < 51; count++) await enqueued();
    const older = /href="(\.\/tasks\?after=[^"]+)"/.exec(await page('/tasks'))?.[1] ?? '';
    const html = await page(older.slice(1).replaceAll('&amp;', '&'));
    expect(html.match(/<tr id=/g)).toHaveLength(1);
    const newer = /href="\.([^"]+)" rel="prev"/.exec(html)?.[1] ?? '';
    expect((await page(newer)).match(/<tr id=/g)).toHaveLength(50);
  });

  test('says that nothing matches', async () => {
    expect(await page('/tasks?q=state:failed')).toContain('No tasks match');
  });
});

describe('the page of a task', () => {
  test('says why it waits, and what opens the gate', async () => {
    const html = await page(`/tasks/${await enqueued({ name: 'text.stat' })}`);
    expect(html).toContain('No worker knows &quot;text.stat&quot;; nearest: text.stats.');
    expect(html).toContain('taskflow worker list');
  });

  test('shows the digits of a number and folds a long input', async () => {
    const id = await enqueued({ name: 'a', input: { text: 'x'.repeat(70_000) } });
    expect(await page(`/tasks/${id}`)).toContain('Cut after 64 KB');
    const created = (await (
      await server.post('/api/v1/tasks', '{"name":"a","input":12345678901234567890}')
    ).json()) as { id: string };
    expect(await page(`/tasks/${created.id}`)).toContain('12345678901234567890');
  });

  test('of a task that is not there is a page with status 404', async () => {
    const response = await server.get('/tasks/01M5VJ1JKVEAEA4M5KQDB7PFVC');
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(await response.text()).toContain('keep.succeeded');
  });
});

describe('a store that is away', () => {
  test('is said on a page that asks again by itself, and not where a form was sent to', async () => {
    const id = await enqueued();
    const broker = server.store.broker as { info: unknown; cancel: unknown };
    const away = async () => {
      throw taskFlowError('STORE_UNREACHABLE', { problem: 'ECONNREFUSED 127.0.0.1:5432' });
    };
    Object.assign(broker, { info: away, cancel: away });
    const response = await server.get('/tasks');
    const html = await response.text();
    expect(response.status).toBe(503);
    expect(html).toContain('ECONNREFUSED 127.0.0.1:5432');
    expect(html).toContain('<meta http-equiv="refresh" content="3"/>');
    expect(await (await server.submit(`/tasks/${id}/cancel`)).text()).not.toContain('http-equiv');
  });
});

describe('forms', () => {
  test('do to each task of a selection what fits it, and say how many it fitted', async () => {
    const [queued, other] = [await enqueued(), await enqueued()];
    const fields = { action: 'cancel', q: 'name:text.*', [`task.${queued}`]: 'on', [`task.${other}`]: 'on' };
    const begun = (await server.submit('/tasks/selected', fields)).headers.get('location') ?? '';
    const undo = /^\.\.\/tasks\?q=name%3Atext\.\*&done=cancel\.2\.0&undo=(\w{26})$/.exec(begun)?.[1] ?? '';
    const html = await page(begun.slice(2));
    expect(html).toContain('Cancelling 2 tasks in 10 s.');
    expect(html).toContain(`action="./operations/${undo}/stop"`);
    const stopped = await server.submit(`/operations/${undo}/stop`, { back: 'tasks?q=name%3Atext.*' });
    expect(stopped.headers.get('location')).toBe('../../tasks?q=name%3Atext.*&done=undone');
    expect(await page('/tasks?done=undone')).toContain('Undone: nothing was changed.');
    expect((await server.submit(`/operations/${undo}/stop`)).status).toBe(409);
    expect(await page('/tasks?done=cancel.1.1')).toContain('Cancelled 1 task. 1 task could not be');
    expect((await server.submit('/tasks/selected', { action: 'explode' })).status).toBe(400);
    for (const more of [
      { action: 'run' },
      { action: 'move', queue: 'email' },
      { action: 'priority', priority: 'urgent' },
    ])
      expect(
        (await server.submit('/tasks/selected', { ...more, [`task.${other}`]: 'on' })).headers.get('location'),
      ).toBe(`../tasks?done=${more.action}.1.0`);
    expect(await page(`/tasks/${other}`)).toContain('0, urgent');
    expect(await page('/tasks?done=<b>.1.1')).not.toContain('class="flash"');
  });

  test('say of what had begun how far it was when it was stopped, and not that nothing was changed', async () => {
    const ids = [await enqueued(), await enqueued(), await enqueued()];
    const { operation } = await perform(operationCreate, server.context, { verb: 'cancel', ids, delay: 0 });
    const [claimed] = await server.store.broker.claim(
      claimRequest('01', { queues: [{ name: internalQueue, limit: 1 }] }),
    );
    const value = JSON.stringify({ after: null, done: 2, refused: 0, failures: [] });
    const checkpoints = [{ name: 'state', value }];
    const beat = { lease: claimed!.lease, ranMs: 5, progress: null, logs: [], checkpoints };
    await server.store.broker.heartbeat(heartbeatRequest([beat]));
    const stopped = await server.submit(`/operations/${operation?.id}/stop`, { back: 'tasks' });
    const location = stopped.headers.get('location') ?? '';
    expect(location).toBe('../../tasks?done=stopping.2');
    expect(await page(location.slice(5))).toContain('Stopping: 2 tasks were done so far, and stay so.');
    expect(await page('/tasks?done=stopped.1')).toContain('Stopped: 1 task was done so far, and stays so.');
  });

  test('do the same to all that a filter finds, once the number is confirmed', async () => {
    for (let count = 0; count < 101; count++) await enqueued();
    const asked = await page('/tasks/matching?action=cancel&q=name%3Atext.*');
    expect(asked).toContain('Cancel 101 tasks?');
    const fields = { action: 'cancel', q: 'name:text.*', matched: '101' };
    expect((await server.submit('/tasks/matching', { ...fields, typed: '100' })).status).toBe(400);
    const response = await server.submit('/tasks/matching', { ...fields, typed: '101' });
    const location = response.headers.get('location') ?? '';
    expect(location).toMatch(/^\.\.\/tasks\?q=name%3Atext\.\*&done=cancel\.101\.0&undo=\w{26}$/);
    expect(await page(`/tasks/${location.slice(-26)}`)).toContain('Scheduled');
    const { searchParams } = new URL(location, `${base}/tasks/`);
    expect(searchParams.get('q')).toBe('name:text.*');
    expect((await server.get('/tasks/matching?action=explode&q=a')).status).toBe(400);
  });

  test.each([
    ['run', {}, 'Run now 2 tasks?'],
    ['move', { queue: 'email' }, 'Move 2 tasks to queue email?'],
    ['priority', { priority: 'urgent' }, 'Change the priority of 2 tasks to urgent?'],
    ['retry', {}, 'Retry 2 tasks?'],
  ])('%s all that a filter finds, from the list', async (action, change, question) => {
    const ids = [await enqueued(), await enqueued()];
    const chosen = { q: 'name:text.*', all: 'yes', [`task.${ids[0]}`]: 'on' };
    const response = await server.submit('/tasks/selected', { action, ...chosen, ...change });
    const target = new URL(response.headers.get('location') ?? '', `${base}/tasks/selected`);
    expect(target.pathname).toBe('/tasks/matching');
    expect(await page(target.pathname + target.search)).toContain(question);
    const begun = await server.submit('/tasks/matching', { action, q: 'name:text.*', matched: '2', ...change });
    const id = begun.headers.get('location')?.slice(-26) ?? '';
    const { verb, queue, priority } = await perform(operationGet, server.context, { id });
    expect([verb, queue, priority]).toEqual([
      action === 'run' ? 'run-now' : action,
      action === 'move' ? 'email' : null,
      action === 'priority' ? 0 : null,
    ]);
  });

  test('keep the columns and the theme that somebody chose, and lead back', async () => {
    await enqueued();
    expect(await page('/tasks')).toMatch(/<th[^>]*>Queue<.*<th[^>]*>Attempt</);
    const chosen = { 'column.priority': 'on', 'column.state': 'on', 'column.nothing': 'on', back: 'tasks?q=a' };
    const kept = await server.submit('/settings', chosen);
    expect([kept.status, kept.headers.get('location')]).toEqual([303, './tasks?q=a']);
    const [cookie = ''] = (kept.headers.get('set-cookie') ?? '').split(';');
    expect(cookie).toBe('tf-columns=priority');
    const html = await (await server.get('/tasks', { cookie: `${cookie}; tf-theme=dark` })).text();
    expect(html).toContain('data-theme="dark"');
    expect(html).toMatch(/<th[^>]*>Priority</);
    expect(html).not.toMatch(/<th[^>]*>Queue</);
    const theme = await server.submit('/settings', { theme: 'light', back: '//evil.example/x' });
    expect(theme.headers.get('location')).toBe('.///evil.example/x');
    expect(theme.headers.get('set-cookie')).toMatch(/^tf-theme=light; Path=\/; Max-Age=31536000; SameSite=Lax$/);
    expect((await server.submit('/settings', { theme: 'pink' })).status).toBe(400);
    expect(await page('/')).not.toContain('data-theme');
  });

  test('the menu says who one is, and who reaches some queues acts at once', async () => {
    expect(await page('/')).toMatch(/<b>ada<\/b><span class="muted">admin<\/span>/);
    const id = await enqueued();
    const actor = { name: 'bo', role: 'operator', queues: ['default'] } as const;
    expect(await beginUndoable({ ...server.context, actor }, 'cancel', [id])).toEqual({ done: 1, not: 0, undo: null });
    expect(await beginUndoable({ ...server.context, actor }, 'cancel', [id])).toEqual({ done: 0, not: 1, undo: null });
  });

  test('cancel, run again, pause and resume answer with a redirect to a page that is there', async () => {
    const id = await enqueued();
    for (const [path, target] of [
      [`/tasks/${id}/cancel`, `../../tasks/${id}`],
      [`/tasks/${id}/retry`, `../../tasks/${id}`],
      [`/tasks/${id}/remove`, '../../tasks'],
      ['/queues/default/pause', '../../#queues'],
      ['/queues/default/resume', '../../#queues'],
    ] as const) {
      const response = await server.submit(path);
      const [location] = (response.headers.get('location') ?? '').split('?');
      expect([path, response.status, location]).toEqual([path, 303, target]);
      const next = new URL(target, base + path);
      expect((await server.get(next.pathname)).status).toBe(200);
    }
  });

  test('run a task by name, with its input as JSON', async () => {
    const response = await server.submit('/tasks', { name: 'text.stats', input: '{"path":"docs"}' });
    expect(response.status).toBe(303);
    expect(await page(`/tasks${response.headers.get('location')?.slice('./tasks'.length)}`)).toContain(
      '&quot;docs&quot;',
    );
    expect((await server.submit('/tasks', { name: 'text.stats', input: '{' })).status).toBe(400);
  });

  test('have no page of their own: whoever opens the address of one is told so on a page', async () => {
    const response = await server.get('/queues/default/pause');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await response.text()).toContain('<h1>GET is not allowed here.</h1>');
    await expectProblem(await server.post('/api/', {}), 405, 'METHOD_NOT_ALLOWED');
  });

  test('run a task with numbers of any length as they were written', async () => {
    const input = '{"n":12345678901234567890,"x":[1.10000000000000000001]}';
    const response = await server.submit('/tasks', { name: 'any', input });
    const id = response.headers.get('location')?.slice('./tasks/'.length) ?? '';
    expect((await server.store.broker.getTasks([id]))[0]?.payload).toBe(input);
  });

  test('of another origin change nothing', async () => {
    const response = await server.submit(
      '/queues/default/pause',
      {},
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    );
    expect(response.status).toBe(403);
    expect(await page('/')).not.toContain('paused');
  });
});

describe('every page', () => {
  test('escapes what users wrote, and has no inline script or style', async () => {
    const evil = '"><img src=x onerror=alert(1)><script>alert(1)</script>';
    const id = await enqueued({ name: 'a', input: { evil }, tags: ['t'], key: evil });
    await server.post('/api/v1/queues/default/pause', { reason: evil });
    await server.post(`/api/v1/tasks/${id}/cancel`, { reason: evil });
    for (const path of [
      '/',
      '/tasks',
      `/tasks?q=${encodeURIComponent(`"${evil.replaceAll('"', '')}"`)}`,
      `/tasks/${id}`,
      '/nothing',
      `/tasks/${encodeURIComponent(evil)}`,
    ]) {
      const html = await page(path);
      expect(html).not.toMatch(/<img|<script(?! (type="module" )?src="[./]*assets\/)|\sstyle=|<style|\son[a-z]+=["']/);
      expect(html).toContain('</html>');
    }
  });

  test('finds its style sheet from any depth, for ever', async () => {
    const id = await enqueued();
    for (const path of ['/', '/tasks', '/tasks/', `/tasks/${id}`, `/tasks/${id}/`, '/a/b/c/d']) {
      const href = /href="([^"]+\.css)"/.exec(await page(path))?.[1] ?? '';
      const response = await server.get(new URL(href, base + path).pathname);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
      expect(response.headers.get('cache-control')).toContain('immutable');
    }
  });

  test('may load itself again, and keeps its query when it does', async () => {
    await enqueued();
    expect(await page('/tasks?q=name:a&live=1')).toContain('<meta http-equiv="refresh" content="3"/>');
    expect(await page('/tasks?q=name:a&live=1')).toContain('href="?q=name%3Aa"');
    expect(await page('/tasks?q=name:a')).not.toContain('http-equiv');
  });

  test('asks the store a handful of questions, however much it shows', async () => {
    const id = await enqueued();
    // What is looked at once in a while, for everybody who looks.
    await page('/');
    const asked: string[] = [];
    for (const half of [server.store.broker, server.store.history] as unknown as Record<string, unknown>[]) {
      for (const [name, method] of Object.entries(half)) {
        if (typeof method !== 'function') continue;
        half[name] = (...given: unknown[]) => {
          // Known without a question where the store is its own record.
          if (name !== 'lagMs') asked.push(name);
          return method(...given);
        };
      }
    }
    for (const [path, most] of [
      ['/', 6],
      ['/tasks', 4],
      [`/tasks/${id}`, 4],
    ] as const) {
      asked.length = 0;
      await page(path);
      expect([path, asked.length <= most, asked]).toEqual([path, true, asked]);
    }
  });

  test('is light: a list of fifty tasks is under 12 KB on the wire', async () => {
    for (let count = 0; count < 60; count++)
      await enqueued({ name: `task.${count}`, input: { user: `u_${count * 7919}`, path: './docs' } });
    const response = new Response(await page('/tasks'));
    const zipped = await new Response(response.body?.pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
    expect(zipped.byteLength).toBeLessThan(12 * 1024);
  });
});
