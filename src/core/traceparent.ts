/** The W3C trace context that a task carries from its enqueue to its runs: one text, so that a store keeps one. */

const pattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Characters of a `tracestate` that are carried: as many as the standard asks everybody for. */
export const tracestateMax = 512;

/** Whether a text is a `traceparent` of four parts. */
export function isTraceparent(text: string): boolean {
  return pattern.test(text);
}

/** Whether a text is a `tracestate`: members of what can be printed, not too many. What is in them is their vendor's. */
function isTracestate(text: string): boolean {
  return text.length <= tracestateMax && /^[\x21-\x7e][\x20-\x7e]*$/.test(text) && text.includes('=');
}

/** A trace context as two headers. */
export interface TraceHeaders {
  readonly traceparent: string;
  readonly tracestate: string | null;
}

/** Both as one text; a `tracestate` that is none, or too long, is left out, as the standard wants it. */
export function traceContext(traceparent: string, tracestate: string | null | undefined): string {
  const state = tracestate?.trim() ?? '';
  return isTracestate(state) ? `${traceparent} ${state}` : traceparent;
}

/** What `traceContext` has put together. */
export function traceHeaders(context: string): TraceHeaders {
  const end = context.indexOf(' ');
  return end < 0
    ? { traceparent: context, tracestate: null }
    : { traceparent: context.slice(0, end), tracestate: context.slice(end + 1) };
}
