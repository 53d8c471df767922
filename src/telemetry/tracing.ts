/**
 * Spans of OpenTelemetry from an enqueue to its runs, in the words of its conventions for messaging. They are made where the program has
 * registered an SDK, and nowhere else: without one the library is not even loaded, and a task costs one look at a global.
 */

import { createRequire } from 'node:module';
import type * as Api from '@opentelemetry/api';
import type { Outcome, Task } from '../core/task.ts';
import { traceContext, traceHeaders } from '../core/traceparent.ts';

/** Where the library keeps what was registered; part of its promise for the whole of major version 1. */
const registry = Symbol.for('opentelemetry.js.api.1');

interface Registered {
  readonly trace?: unknown;
}

/** What is sent, as far as it is known when the call begins. Never an input. */
export interface Sent {
  readonly name: string;
  readonly queue: string;
  /** Of one task; absent for several. */
  readonly taskId?: string;
  readonly count?: number;
}

/** One run under its span. */
export interface RunTrace {
  /** For what this run enqueues or brings along; `null` where its span is not one to continue. */
  readonly traceparent: string | null;
  /** Calls `fn` so that spans made in it are below that of the run. */
  within<Result>(fn: () => Result): Result;
  /** Once it is known how it ended; later calls do nothing. */
  end(outcome: Outcome): void;
}

type Carried = Pick<Task, 'traceparent'>;
type Run = Carried & Pick<Task, 'id' | 'name' | 'queue' | 'attempt'>;

let library: typeof Api | null | undefined;

/** The library where a program has registered what makes spans; else `null`. */
function registered(): typeof Api | null {
  const global = (globalThis as { readonly [registry]?: Registered })[registry];
  if (global?.trace === undefined) return null;
  library ??= load();
  return library;
}

/** Whether anybody makes spans: at most a look at a global. */
export const isTracing = (): boolean => registered() !== null;

function load(): typeof Api | null {
  try {
    return createRequire(import.meta.url)('@opentelemetry/api') as typeof Api;
  } catch {
    // It is an optional peer: whoever registered an SDK has one elsewhere, and does without these spans.
    return null;
  }
}

/**
 * Makes `send` under a span of the producer, and hands it the context that the tasks are to carry: `traceparent`, where it is given, is
 * the parent of the span, else what is active. Without an SDK that is `traceparent` itself, and `send` is called as it is.
 */
export function traceSend<Result>(
  sent: Sent,
  traceparent: string | null,
  send: (traceparent: string | null) => Promise<Result>,
): Promise<Result> {
  const api = registered();
  return api === null ? send(traceparent) : sendUnder(api, sent, traceparent, send);
}

async function sendUnder<Result>(
  api: typeof Api,
  { name, queue, taskId, count }: Sent,
  traceparent: string | null,
  send: (traceparent: string | null) => Promise<Result>,
): Promise<Result> {
  const attributes = {
    ...common(name, queue),
    'messaging.operation.name': 'enqueue',
    'messaging.operation.type': 'send',
    ...(taskId !== undefined && { 'messaging.message.id': taskId }),
    ...(count !== undefined && { 'messaging.batch.message_count': count }),
  };
  const parent = remote(api, traceparent) ?? api.context.active();
  const span = tracer(api).startSpan(`send ${queue}`, { kind: api.SpanKind.PRODUCER, attributes }, parent);
  try {
    const result = await api.context.with(api.trace.setSpan(parent, span), () =>
      send(carried(api, span) ?? traceparent),
    );
    return result;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    // By its code: the words of an error may quote what was sent.
    const type = typeof code === 'string' ? code : 'INTERNAL';
    span.setAttribute('error.type', type);
    span.setStatus({ code: api.SpanStatusCode.ERROR, message: type });
    throw error;
  } finally {
    span.end();
  }
}

/** Begins the span of a run, below that of its enqueue however many runs there are; `null` without an SDK. */
export function traceRun(task: Run): RunTrace | null {
  const api = registered();
  if (api === null) return null;
  const { id, name, queue, attempt } = task;
  const attributes = {
    ...common(name, queue),
    'messaging.operation.name': 'run',
    'messaging.operation.type': 'process',
    'messaging.message.id': id,
    'taskflow.task.attempt': attempt,
  };
  const parent = remote(api, task.traceparent) ?? api.ROOT_CONTEXT;
  const span = tracer(api).startSpan(`process ${queue}`, { kind: api.SpanKind.CONSUMER, attributes }, parent);
  const context = api.trace.setSpan(parent, span);
  let isOver = false;
  return {
    traceparent: carried(api, span),
    within: (fn) => api.context.with(context, fn),
    end(outcome) {
      if (isOver) return;
      isOver = true;
      tellOutcome(api, span, outcome);
      span.end();
    },
  };
}

/** For a process that runs a part of what another one has a span for: its spans are below that one. */
export function continueRun(task: Carried): RunTrace | null {
  const api = registered();
  const parent = api === null ? null : remote(api, task.traceparent);
  if (api === null || parent === null) return null;
  return { traceparent: task.traceparent, within: (fn) => api.context.with(parent, fn), end: () => undefined };
}

/** The ids of the active span, as logs have them; `null` without one. */
export function activeTrace(): { readonly trace_id: string; readonly span_id: string } | null {
  const api = registered();
  const known = api?.trace.getActiveSpan()?.spanContext();
  if (api === null || known === undefined || !api.isSpanContextValid(known)) return null;
  return { trace_id: known.traceId, span_id: known.spanId };
}

const common = (name: string, queue: string) => ({
  'messaging.system': 'taskflow',
  'messaging.destination.name': queue,
  'taskflow.task.name': name,
});

const tracer = (api: typeof Api): Api.Tracer => api.trace.getTracer('taskflow');

/** The words of the error have come past what hides values. */
function tellOutcome(api: typeof Api, span: Api.Span, outcome: Outcome): void {
  span.setAttribute('taskflow.outcome', outcome.kind);
  if (!('error' in outcome)) return;
  const { name, message, stack } = outcome.error;
  span.setAttribute('error.type', name);
  span.recordException({ name, message, ...(stack !== null && { stack }) });
  span.setStatus({ code: api.SpanStatusCode.ERROR, message });
}

/** W3C Trace Context, version 00, as a task carries it. */
function carried(api: typeof Api, span: Api.Span): string | null {
  const known = span.spanContext();
  if (!api.isSpanContextValid(known)) return null;
  const traceparent = `00-${known.traceId}-${known.spanId}-${known.traceFlags.toString(16).padStart(2, '0')}`;
  return traceContext(traceparent, known.traceState?.serialize());
}

function remote(api: typeof Api, context: string | null): Api.Context | null {
  const { traceparent, tracestate } = traceHeaders(context ?? '');
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  const known = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate !== null && { traceState: api.createTraceState(tracestate) }),
  };
  return api.isSpanContextValid(known) ? api.trace.setSpanContext(api.ROOT_CONTEXT, known) : null;
}
