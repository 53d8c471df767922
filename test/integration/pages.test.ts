/** Tests the pages: what they show, that their forms work without a script, and that nothing a user wrote becomes markup. */
import { beforeEach, describe, expect, test } from 'vitest';
import { taskFlowError } from '../../src/core/errors.ts';
import { base, startServer, type TestServer } from '../support/http.ts';

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
    const [queued, ended] = [await enqueued(), await enqueued()];
    await server.submit(`/tasks/${ended}/cancel`);
    const fields = { action: 'cancel', q: 'name:text.*', [`task.${queued}`]: 'on', [`task.${ended}`]: 'on' };
    const response = await server.submit('/tasks/selected', fields);
    expect(response.headers.get('location')).toBe('../tasks?q=name%3Atext.*&done=cancel.1.1');
    const html = await page('/tasks?q=name%3Atext.*&done=cancel.1.1');
    expect(html).toContain('Cancelled 1 task. 1 task could not be');
    expect((await server.submit('/tasks/selected', { action: 'explode' })).status).toBe(400);
    const other = await enqueued();
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

  test('do the same to all that a filter finds, once the number is confirmed', async () => {
    for (let count = 0; count < 101; count++) await enqueued();
    const asked = await page('/tasks/matching?action=cancel&q=name%3Atext.*');
    expect(asked).toContain('Cancel 101 tasks?');
    const fields = { action: 'cancel', q: 'name:text.*', matched: '101' };
    expect((await server.submit('/tasks/matching', { ...fields, typed: '100' })).status).toBe(400);
    const response = await server.submit('/tasks/matching', { ...fields, typed: '101' });
    expect(response.status).toBe(303);
    const operation = new URL(response.headers.get('location') ?? '', `${base}/tasks/matching`).pathname;
    expect(await page(operation)).toContain('Scheduled');
    expect((await server.get('/tasks/matching?action=explode&q=a')).status).toBe(400);
  });

  test('cancel, run again, pause and resume answer with a redirect to a page that is there', async () => {
    const id = await enqueued();
    for (const [path, target] of [
      [`/tasks/${id}/cancel`, `../../tasks/${id}`],
      [`/tasks/${id}/retry`, `../../tasks/${id}`],
      ['/queues/default/pause', '../../#queues'],
      ['/queues/default/resume', '../../#queues'],
    ] as const) {
      const response = await server.submit(path);
      expect([path, response.status, response.headers.get('location')]).toEqual([path, 303, target]);
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
