/** Tests that a body is held to its bounds however it comes, and that one that breaks off is the client's mistake. */

import { expect, test, vi } from 'vitest';
import { limits } from '../core/limits.ts';
import { readJsonBody } from './body.ts';

/** One that says its length beforehand, and one that does not. */
const kinds = [{}, { 'content-length': '9' }];

function requestWith(body: string | ReadableStream, headers: Readonly<Record<string, string>>): Request {
  const all = { 'content-type': 'application/json', ...headers };
  return new Request('http://127.0.0.1/', { method: 'POST', headers: all, body, duplex: 'half' } as RequestInit);
}

test.each(kinds)('a body is read whole: %o', async (headers) => {
  expect(await readJsonBody(requestWith('{"a":"b"}', headers), 9)).toEqual({ a: 'b' });
});

test.each(kinds)('one that is larger than it may be is refused, whatever it says of itself: %o', async (headers) => {
  await expect(readJsonBody(requestWith('{"a":"bb"}', headers), 9)).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  });
});

test.each(kinds)('one that ends too early is told so: %o', async (headers) => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"a":'));
      controller.error(new Error('the client is gone'));
    },
  });
  await expect(readJsonBody(requestWith(body, headers))).rejects.toMatchObject({
    code: 'INVALID_JSON',
    message: expect.stringContaining('it ended too early') as string,
  });
});

test('a large one is read when it is the turn of whoever sent it, a small one at once', async () => {
  const turns: string[] = [];
  const readAs = (name: string, bytes: number) =>
    readJsonBody(requestWith(`{"a":"${'x'.repeat(bytes - 8)}"}`, {}), 2 * bytes, async () => void turns.push(name));
  await readAs('small', limits.turnBodyBytesMin - 1);
  expect(turns).toEqual([]);
  await readAs('large', limits.turnBodyBytesMin);
  expect(turns).toEqual(['large']);
  let goOn: () => void = () => undefined;
  const turn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const reading = readJsonBody(requestWith(`["${'x'.repeat(300_000)}`, {}), 1_000_000, () => turn);
  const heard = vi.fn();
  reading.catch(heard);
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).not.toHaveBeenCalled();
  goOn();
  await expect(reading).rejects.toMatchObject({ code: 'INVALID_JSON' });
});
