/** Tests that a body is held to its bounds however it comes, and that one that breaks off is the client's mistake. */

import { expect, test } from 'vitest';
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
