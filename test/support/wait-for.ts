/** Waits for something to come true, as `vi.waitFor`, but as long as it takes on a machine that others use too. */

import { vi } from 'vitest';

type Options = { readonly timeout?: number; readonly interval?: number };

/** A second, as Vitest gives it, is short where more processes than processors run. */
const timeoutMs = 20_000;

/** Calls until nothing is thrown; throws the last error when that takes longer than 20 s, or than `timeout`. */
export function waitFor<Result>(callback: () => Result | Promise<Result>, options: Options = {}): Promise<Result> {
  return vi.waitFor(callback, { timeout: timeoutMs, ...options });
}
