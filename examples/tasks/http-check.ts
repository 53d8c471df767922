/** Fetches an address and says how it went: anything but success is tried again. */

import { fatal, task } from 'taskflowjs';
import { z } from 'zod';

export const httpCheck = task('http.check', {
  description: 'Checks that a URL answers',
  input: z.object({
    url: z.string().min(1),
    /** How long one answer may take, in milliseconds. */
    timeout: z.int().min(100).max(60_000).default(10_000),
  }),
  retry: { attempts: 4, delay: '1s', max: '30s' },
  timeout: '2m',

  async run({ url, timeout }, ctx) {
    // Tried again it would be as wrong: the address of a task does not change.
    if (!URL.canParse(url)) throw fatal(`"${url}" is not a URL.`);
    const address = new URL(url);
    if (!/^https?:$/.test(address.protocol)) throw fatal(`Only http and https can be checked, not ${address.protocol}`);

    const started = performance.now();
    const tooLate = AbortSignal.timeout(timeout);
    const response = await fetch(address, { signal: AbortSignal.any([ctx.signal, tooLate]) }).catch(
      (error: unknown) => {
        if (tooLate.aborted) throw new Error(`${address.host} did not answer within ${timeout} ms`, { cause: error });
        // What failed is in the cause: fetch itself only says that it did.
        const { cause } = error as { readonly cause?: unknown };
        if (cause instanceof Error) throw new Error(`${address.host} cannot be reached: ${cause.message}`, { cause });
        throw error;
      },
    );
    const ms = Math.round(performance.now() - started);
    await response.body?.cancel();
    ctx.log.info('answered', { status: response.status, ms, attempt: ctx.attempt });
    if (!response.ok) throw new Error(`${address.host} answered ${response.status} ${response.statusText}`.trim());
    return { url: response.url, status: response.status, ms, type: response.headers.get('content-type') };
  },
});
