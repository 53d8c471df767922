/** Tests what machines ask: probes that tell nothing but how it is, and metrics with bounded labels and no secrets. */
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createMetrics } from '../../src/api/metrics.ts';
import { connect } from '../../src/broker/connect.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { perform } from '../../src/operations/operation.ts';
import { taskEnqueue } from '../../src/operations/task.ts';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { createMemoryHistory } from '../support/memory-history.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

/** A server whose store rejects every call with an error that names a place. */
function brokenApp() {
  const clock = createManualClock(0);
  const broker = createMemoryBroker({ now: clock.now, chance: seededChance(1) });
  const away = () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: '/secret/place at 10.1.2.3' }));
  const store: Store = {
    broker: { ...broker, info: away, getWorkers: away, getQueues: away },
    history: createMemoryHistory(broker.state),
    close: async () => undefined,
  };
  const context = createContext({ store, clock, actor: { name: 'ada', role: 'admin' } });
  return createApp({ context, metrics: createMetrics({ version: '1.2.3', clock }), report: () => undefined });
}

/** The samples of a metric, by their labels. */
async function samples(name: string): Promise<Readonly<Record<string, number>>> {
  const text = await (await server.get('/metrics')).text();
  const lines = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].filter((line) => line[1] === name);
  return Object.fromEntries(lines.map(([, , labels = '', value]) => [labels, Number(value)]));
}

describe('probes', () => {
  test('say that all is well while it is', async () => {
    expect(await (await server.get('/healthz')).text()).toBe('{"status":"ok"}');
    expect(await (await server.get('/readyz')).text()).toBe('{"status":"ready"}');
    expect(await (await server.get('/health')).text()).toBe('{"status":"ok"}');
  });

  test('say that nobody runs the services, and that it may be asked again', async () => {
    await server.move(limits.presenceMs + 1);
    const response = await server.get('/readyz');
    expect(response.headers.get('retry-after')).toBe('1');
    await expectProblem(response, 503, 'NOT_READY', 'no living process runs the services');
    expect((await server.get('/health')).status).toBe(200);
    expect((await server.get('/healthz')).status).toBe(200);
  });

  test('say with its code alone that the store is away; the process lives', async () => {
    const app = brokenApp();
    for (const path of ['/readyz', '/health']) {
      const response = await app(new Request(base + path));
      expect(response.headers.get('retry-after')).toBe('1');
      const problem = await expectProblem(response, 503, 'NOT_READY', 'STORE_UNREACHABLE');
      expect(JSON.stringify(problem)).not.toMatch(/secret|10\.1/);
    }
    expect((await app(new Request(`${base}/healthz`))).status).toBe(200);
    await expectProblem(await app(new Request(`${base}/metrics`)), 503, 'STORE_UNREACHABLE');
  });

  test('answer whoever asks; metrics only those who may look', async () => {
    const refuse = () =>
      Promise.reject(taskFlowError('FORBIDDEN', { operation: 'x', needed: 'y', actor: 'z', role: 'none' }));
    const context = createContext({
      store: server.store,
      clock: createManualClock(Date.UTC(2026, 10, 23, 9)),
      actor: { name: 'own', role: 'admin' },
    });
    const metrics = createMetrics({ version: '1', clock: systemClock });
    const app = createApp({ context, metrics, authenticate: refuse, report: () => undefined });
    for (const path of ['/healthz', '/readyz', '/health'])
      expect([path, (await app(new Request(base + path))).status]).toEqual([path, 200]);
    expect((await app(new Request(`${base}/metrics`))).status).toBe(403);
  });
});

describe('metrics', () => {
  const enqueue = (body: object) => server.post('/api/v1/tasks', body);

  test('tell what waits, for how long, and who is there for it', async () => {
    await enqueue({ name: 'text.stats', input: { path: '.' } });
    await enqueue({ name: 'text.stats', input: { path: '.' }, delay: '1h' });
    await server.move(4_000);
    expect(await samples('taskflow_tasks')).toMatchObject({
      'queue="default",state="queued"': 1,
      'queue="default",state="scheduled"': 1,
      'queue="default",state="running"': 0,
    });
    expect(await samples('taskflow_queue_oldest_seconds')).toMatchObject({ 'queue="default"': 4, 'queue="email"': 0 });
    expect(await samples('taskflow_queue_slots')).toEqual({ 'queue="default"': 10, 'queue="email"': 2 });
    expect(await samples('taskflow_workers')).toEqual({
      'state="ready"': 1,
      'state="draining"': 0,
      'state="silent"': 0,
    });
    expect(await samples('taskflow_build_info')).toEqual({ 'version="0.0.0"': 1 });
  });

  test('tell what ended on a real store, and how long it took', async () => {
    const store = connect('sqlite::memory:');
    await store.broker.open();
    onTestFinished(() => store.close());
    const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
    const clock = createManualClock(0);
    const app = createApp({ context, metrics: createMetrics({ version: '1', clock }), report: () => undefined });
    const text = async () => (await app(new Request(`${base}/metrics`))).text();
    expect(await text()).not.toContain('taskflow_tasks_finished_total{');
    await perform(taskEnqueue, context, { name: 'text.stats', input: {} });
    const queues = [{ name: 'default', limit: 1 }];
    const request = { workerId: 'w-1', token: 'a'.repeat(32), queues, limit: 1, leaseMs: 30_000 };
    const [claimed] = await store.broker.claim(request);
    const verdict = {
      to: 'succeeded',
      reason: null,
      charge: 'attempt',
      keepMs: 60_000,
      result: null,
      error: null,
    } as const;
    const settlement = { lease: claimed!.lease, verdict, ranMs: 3_000, progress: null, logs: [], spawn: [] };
    await store.broker.settle([settlement]);
    await clock.advance(limits.metricsCacheMs);
    const then = await text();
    expect(then).toContain('taskflow_tasks_finished_total{queue="default",state="succeeded"} 1');
    expect(then).toContain('taskflow_tasks_finished_total{queue="default",state="failed"} 0');
    expect(then).toContain('taskflow_task_run_seconds_sum{queue="default"} 3');
    expect(then).toContain('taskflow_task_wait_seconds_count{queue="default"} 1');
    expect(then).toContain('# TYPE taskflow_task_run_seconds histogram');
    const ran = [...then.matchAll(/^taskflow_task_run_seconds_bucket\{queue="default",le="(.*)"\} (\d)$/gm)];
    expect(ran.map(([, bound]) => bound).at(-1)).toBe('+Inf');
    expect(ran.filter(([, , tasks]) => tasks === '1').map(([, bound]) => bound)).toEqual([
      '5',
      '10',
      '30',
      '60',
      '300',
      '900',
      '3600',
      '+Inf',
    ]);
    expect(then).not.toMatch(/^$\n^$/m);
  });

  test('tell requests by the pattern of their path, unknown paths and methods as other', async () => {
    const { id } = await json(await enqueue({ name: 'text.stats', input: { path: '.' } }));
    await server.get(`/api/v1/tasks/${id}`);
    await server.get('/no/such/page');
    await server.fetch(new Request(`${base}/api/v1/tasks`, { method: 'BREW' }));
    const counts = await samples('taskflow_http_request_seconds_count');
    expect(counts).toMatchObject({
      'method="POST",route="/api/v1/tasks",status="201"': 1,
      'method="GET",route="/api/v1/tasks/:id",status="200"': 1,
      'method="GET",route="other",status="404"': 1,
      'method="other",route="/api/v1/tasks",status="405"': 1,
    });
  });

  test('have no id, name or input of a task in them', async () => {
    const { id } = await json(
      await enqueue({ name: 'canary.name', input: { canary: 'cccc' }, key: 'canary-key', tags: ['canary-tag'] }),
    );
    await server.get(`/api/v1/tasks/${id}?token=canary`);
    const text = await (await server.get('/metrics')).text();
    expect(text).not.toMatch(new RegExp(`canary|${id}`));
  });

  test('give labels to so many queues, and one to the others, which keep theirs', async () => {
    for (let at = 0; at < limits.metricsQueuesMax + 50; at += 1)
      await enqueue({ name: 'text.stats', input: { path: '.' }, queue: `q${String(at).padStart(4, '0')}` });
    const before = await samples('taskflow_queue_oldest_seconds');
    expect(Object.keys(before)).toHaveLength(limits.metricsQueuesMax + 1);
    expect((await samples('taskflow_tasks'))['queue="other",state="queued"']).toBeGreaterThanOrEqual(50);
    await enqueue({ name: 'text.stats', input: { path: '.' }, queue: '0-first-by-name' });
    await server.move(limits.metricsCacheMs);
    expect(Object.keys(await samples('taskflow_queue_oldest_seconds'))).toHaveLength(Object.keys(before).length);
  });

  test('ask the store six times, and once a second however many scrape', async () => {
    const { broker, history } = server.store;
    const asked = [
      ...(['info', 'getQueues', 'getWorkers'] as const).map((name) => vi.spyOn(broker, name)),
      ...(['minutes', 'lagMs', 'facets', 'search'] as const).map((name) => vi.spyOn(history, name)),
    ];
    const count = () => asked.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    await Promise.all(Array.from({ length: 20 }, () => server.get('/metrics')));
    expect(count()).toBeGreaterThan(0);
    expect(count()).toBeLessThanOrEqual(6);
    const first = count();
    await server.move(limits.metricsCacheMs);
    await server.get('/metrics');
    expect(count()).toBe(2 * first);
  });

  test('are what the client library of Prometheus can read, and of this process too', async () => {
    const text = await (await server.get('/metrics')).text();
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    const names = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#')))
      expect(line).toMatch(/^[a-z_][a-z0-9_]*(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+|NaN)$/i);
  });
});
