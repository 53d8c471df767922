/** Tests one trace from a client or a request to the runs of a task and of what that brings along, with a real SDK, on every store. */

import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createApp } from '../../src/api/app.ts';
import { makeClient } from '../../src/client/client.ts';
import { task } from '../../src/client/define.ts';
import { definitionOf, type TaskDefinition } from '../../src/core/definition.ts';
import { createContext } from '../../src/operations/context.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { onEachStore } from '../support/operation-stores.ts';
import { waitFor } from '../support/wait-for.ts';

const exporter = new InMemorySpanExporter();
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});
afterAll(() => {
  trace.disable();
  context.disable();
});
afterEach(() => exporter.reset());

const secret = 'hunter2-in-the-input';
const seen: { log: string[]; failing: number } = { log: [], failing: 0 };
const log = createLog({ level: 'info', pid: 1, now: () => 0, write: (line) => void seen.log.push(line) });

const child = task('trace.child', { input: z.object({}), queue: 'children', run: () => undefined });
const parent = task('trace.parent', {
  input: z.object({ password: z.string(), fails: z.boolean().default(false) }),
  queue: 'parents',
  retry: { attempts: 2, delay: 1, jitter: 'none' },
  redact: ['input.password'],
  async run({ password, fails }, ctx) {
    if (fails && ctx.attempt === 1) throw new TypeError(`refused ${password}`);
    await trace.getTracer('test').startActiveSpan('of the user', async (span) => {
      log.info('in the handler');
      await child.enqueue({});
      span.end();
    });
    await ctx.spawn(child, {});
  },
});

const definitions = [parent, child].map((one) => definitionOf(one) as TaskDefinition);

function spans(name: string): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

const only = (name: string): ReadableSpan => {
  const [span, ...others] = spans(name);
  expect([name, span === undefined, others.length]).toEqual([name, false, 0]);
  return span as ReadableSpan;
};

const parentId = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
const spanId = (span: Pick<ReadableSpan, 'spanContext'>): string => span.spanContext().spanId;

await onEachStore((open) => {
  /** A client and a worker on the store; what handlers enqueue goes there too. */
  async function start() {
    const { store } = await open();
    const { replaceDefaultClient } = await import('../../src/client/default-client.ts');
    const client = makeClient({ open: async () => ({ broker: store.broker, close: async () => undefined }) });
    replaceDefaultClient(client);
    const worker = createWorker({ store, definitions, queues: ['parents', 'children'], services: 'never' });
    worker.start();
    onTestFinished(() => worker.stop());
    return { store, client };
  }

  test('one trace leads from the client through the store to the runs of a task and of its children', async () => {
    await start();
    const root = trace.getTracer('test').startSpan('request of the user');
    const handle = await context.with(trace.setSpan(context.active(), root), () =>
      parent.enqueue({ password: secret }),
    );
    root.end();
    await waitFor(() => expect(spans('process children')).toHaveLength(2));
    const sent = only('send parents');
    const run = only('process parents');
    expect([parentId(sent), parentId(run)]).toEqual([spanId(root), spanId(sent)]);
    expect([sent.kind, run.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER]);
    const inner = only('of the user');
    expect(parentId(inner)).toBe(spanId(run));
    const parents = spans('process children').map(parentId);
    expect(new Set(parents)).toEqual(new Set([spanId(only('send children')), spanId(run)]));
    expect(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId)).size).toBe(1);
    const about = {
      'messaging.system': 'taskflow',
      'messaging.destination.name': 'parents',
      'messaging.message.id': handle.id,
    };
    expect(sent.attributes).toMatchObject({
      ...about,
      'messaging.operation.type': 'send',
      'taskflow.task.name': 'trace.parent',
    });
    expect(run.attributes).toMatchObject({
      ...about,
      'messaging.operation.type': 'process',
      'taskflow.task.attempt': 1,
      'taskflow.outcome': 'done',
    });
    expect(JSON.parse(seen.log.at(-1) ?? '{}')).toMatchObject({
      trace_id: inner.spanContext().traceId,
      span_id: spanId(inner),
    });
  });

  test('each attempt has its span, and a failure its exception, without what is hidden', async () => {
    await start();
    const { id } = await parent.enqueue({ password: secret, fails: true });
    await waitFor(() => expect(spans('process parents')).toHaveLength(2));
    await waitFor(() => expect(spans('process children')).toHaveLength(2));
    const [failed, succeeded] = spans('process parents');
    expect(failed).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'refused [redacted]' },
      attributes: { 'error.type': 'TypeError', 'taskflow.task.attempt': 1, 'messaging.message.id': id },
      events: [{ name: 'exception' }],
    });
    expect(succeeded).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'taskflow.task.attempt': 2 },
    });
    expect([failed, succeeded].map((span) => span?.parentSpanContext?.spanId)).toEqual(
      Array(2).fill(spanId(only('send parents'))),
    );
    const told = exporter
      .getFinishedSpans()
      .map(({ name, attributes, status, events }) => ({ name, attributes, status, events }));
    expect(JSON.stringify(told)).not.toContain(secret);
  });

  test('many at once are under one span', async () => {
    const { client } = await start();
    await client.enqueueMany(definitions[1] as TaskDefinition, [{}, {}, {}]);
    await waitFor(() => expect(spans('process children')).toHaveLength(3));
    const sent = only('send children');
    expect(sent.attributes['messaging.batch.message_count']).toBe(3);
    expect(new Set(spans('process children').map(parentId))).toEqual(new Set([spanId(sent)]));
  });

  test('a tracestate goes from a request through the store to the spans of the runs', async () => {
    const { store } = await start();
    const actor = { name: 'ada', role: 'admin' } as const;
    const fetch = createApp({ context: createContext({ store, actor, definitions }), report: () => undefined });
    const tracestate = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE';
    const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
    const headers = { 'content-type': 'application/json', traceparent, tracestate };
    const body = JSON.stringify({ name: 'trace.child' });
    const sent = await fetch(new Request('http://127.0.0.1:8000/api/v1/tasks', { method: 'POST', headers, body }));
    expect(sent.status).toBe(201);
    await waitFor(() => expect(spans('process children')).toHaveLength(1));
    for (const name of ['send children', 'process children'])
      expect([name, only(name).spanContext().traceState?.serialize()]).toEqual([name, tracestate]);
  });

  test('a request continues the context that it comes with, one task or many', async () => {
    const { store } = await start();
    const fetch = createApp({
      context: createContext({ store, actor: { name: 'ada', role: 'admin' }, definitions }),
      report: () => undefined,
    });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const post = (path: string, body: unknown, header: string) =>
      fetch(
        new Request(`http://127.0.0.1:8000/api/v1${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', traceparent: header },
          body: JSON.stringify(body),
        }),
      );
    expect((await post('/tasks', { name: 'trace.child' }, traceparent)).status).toBe(201);
    expect(
      (await post('/tasks/batch', { tasks: [{ name: 'trace.child' }, { name: 'trace.child' }] }, traceparent)).status,
    ).toBeLessThan(300);
    await waitFor(() => expect(spans('process children')).toHaveLength(3));
    const all = exporter.getFinishedSpans();
    expect(new Set(all.map((span) => span.spanContext().traceId))).toEqual(new Set(['a'.repeat(32)]));
    expect(spans('send children').map(parentId)).toEqual(['b'.repeat(16), 'b'.repeat(16)]);
    expect((await post('/tasks', { name: 'trace.child' }, 'nonsense')).status).toBe(201);
  });
});

describe('without an SDK', () => {
  test('what a caller gives is carried as it is, and nothing else is made', async () => {
    trace.disable();
    onTestFinished(() => {
      trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    });
    const { isTracing, traceRun } = await import('../../src/telemetry/tracing.ts');
    expect(isTracing()).toBe(false);
    expect(traceRun({ id: 'x', name: 'a', queue: 'q', attempt: 1, traceparent: null })).toBeNull();
  });
});
