/** Tests that a trace context is one text, and two headers again. */

import { expect, test } from 'vitest';
import { isTraceparent, traceContext, traceHeaders, tracestateMax } from './traceparent.ts';

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

test.each([
  'congo=t61rcWkgMzE',
  'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE',
  'a@b=c d',
  `a=${'x'.repeat(tracestateMax - 2)}`,
])('%s goes along', (tracestate) => {
  const context = traceContext(traceparent, ` ${tracestate} `);
  expect(traceHeaders(context)).toEqual({ traceparent, tracestate });
  expect(isTraceparent(context)).toBe(false);
});

test.each([null, undefined, '', ' ', 'nothing', 'a=\nb', 'ü=1', `a=${'x'.repeat(tracestateMax - 1)}`])(
  '%j is left out',
  (tracestate) => {
    const context = traceContext(traceparent, tracestate);
    expect(context).toBe(traceparent);
    expect(traceHeaders(context)).toEqual({ traceparent, tracestate: null });
  },
);
