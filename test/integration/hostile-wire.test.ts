/** Tests a whole server on a real port with bytes that no library would send: each is answered in words or hung up on, and the server goes on. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { apiRoutes } from '../../src/api/routes.ts';
import { type LiveServer, startLiveServer } from '../support/live-server.ts';
import { waitFor } from '../support/wait-for.ts';

/** What came back until the server hung up, or until it is an answer. */
async function send({ port }: LiveServer, bytes: string | Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  let heard = '';
  let isClosed = false;
  socket.on('data', (data) => {
    heard += data.toString('latin1');
  });
  socket.once('close', () => {
    isClosed = true;
  });
  await once(socket, 'connect');
  socket.write(bytes);
  await waitFor(() => expect(isClosed || /\r\n\r\n[\s\S]*[}>k]\s*$/.test(heard)).toBe(true));
  socket.destroy();
  return heard;
}

const host = 'host: 127.0.0.1\r\n';
const json = 'content-type: application/json\r\n';
const close = 'connection: close\r\n';
const post = (headers: string, body = '', path = '/api/v1/tasks'): string =>
  `POST ${path} HTTP/1.1\r\n${host}${json}${close}${headers}\r\n${body}`;
const get = (target: string, headers = ''): string => `GET ${target} HTTP/1.1\r\n${host}${close}${headers}\r\n`;

test.each([
  ['a chunk of no size', post('transfer-encoding: chunked\r\n', 'xyz\r\n{}\r\n0\r\n\r\n'), 'NOT_HTTP'],
  ['a chunk larger than any', post('transfer-encoding: chunked\r\n', 'ffffffffffffffffff\r\n'), 'NOT_HTTP'],
  ['a chunk of a negative size', post('transfer-encoding: chunked\r\n', '-1\r\n'), 'NOT_HTTP'],
  ['an encoding nobody knows', post('transfer-encoding: gzip\r\n', 'x'), 'NOT_HTTP'],
  ['a length that is none', post('content-length: 1e3\r\n'), 'NOT_HTTP'],
  ['a length below nothing', post('content-length: -5\r\n'), 'NOT_HTTP'],
  ['a length beyond all numbers', post('content-length: 99999999999999999999999\r\n'), 'NOT_HTTP'],
  ['a length beyond all memory', post('content-length: 9007199254740991\r\n', '{'), 'PAYLOAD_TOO_LARGE'],
  ['a length in two ways', post('content-length: 2\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'), 'NOT_HTTP'],
  [
    'a body that was announced to wait',
    post('expect: 100-continue\r\ncontent-length: 9\r\n', '{"a": 1}}'),
    'INVALID_JSON',
  ],
  ['an expectation nobody knows', post('expect: the-unexpected\r\ncontent-length: 2\r\n', '{}'), 'INVALID_OPTION'],
  ['a path with a zero byte', get('/api/v1/tasks/\0'), 'NOT_HTTP'],
  ['a path with a hidden zero byte', get('/api/v1/queues/%00'), 'QUEUE_NOT_FOUND'],
  ['a name with a hidden slash', get('/api/v1/queues/a%2Fb'), 'QUEUE_NOT_FOUND'],
  ['half of a hidden byte', get('/api/v1/queues/%'), 'QUEUE_NOT_FOUND'],
  ['a backslash', get('/api/v1\\tasks'), 'NOT_HTTP'],
  ['no path', get('tasks'), 'NOT_HTTP'],
  ['an empty path', get(''), 'NOT_HTTP'],
  ['a way out', get('/api/v1/../../api/passwd'), 'NOT_FOUND'],
  ['an absolute address that is none', get('http://'), 'NOT_HTTP'],
  ['an absolute address of another scheme', get('ftp://127.0.0.1/api/v1/counts'), 'NOT_HTTP'],
  ['a line of headers without an end', get('/', `x: ${'y'.repeat(100_000)}\r\n`), 'HEADERS_TOO_LARGE'],
  ['a name of a header without an end', get('/', `${'y'.repeat(100_000)}: x\r\n`), 'HEADERS_TOO_LARGE'],
  ['a target without an end', get(`/${'y'.repeat(100_000)}`), 'HEADERS_TOO_LARGE'],
  ['a header with a zero byte', get('/', 'x: a\0b\r\n'), 'NOT_HTTP'],
  ['a folded header', get('/', 'x: a\r\n b: c\r\n'), 'NOT_HTTP'],
  ['a host that is none', 'GET /api/v1/counts HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n', 'NOT_HTTP'],
  [
    'two hosts',
    'GET /api/v1/counts HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil\r\nconnection: close\r\n\r\n',
    'NOT_HTTP',
  ],
  ['no host', 'GET /api/v1/counts HTTP/1.1\r\nconnection: close\r\n\r\n', 'NOT_HTTP'],
  ['a method nobody knows', `BREW / HTTP/1.1\r\n${host}\r\n`, 'NOT_HTTP'],
  ['a tunnel', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${host}\r\n`, ''],
  ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'NOT_HTTP'],
  ['a greeting of TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), 'NOT_HTTP'],
] as const)('%s', async (_what, bytes, code) => {
  const server = await startLiveServer();
  const heard = await send(server, bytes);
  if (code === '') expect(heard).toBe('');
  else
    expect(heard).toMatch(
      new RegExp(`^(HTTP/1.1 100 Continue\\r\\n\\r\\n)?HTTP/1\\.1 4\\d\\d [\\s\\S]*"code":"${code}"`),
    );
  expect(heard).not.toMatch(/at .*\.tsx?:\d+|node:internal/);
  expect(await send(server, get('/healthz'))).toContain('200 OK');
  expect(server.reported).toEqual([]);
});

test.each([
  ['of HTTP/1.0, as balancers send it', 'GET /healthz HTTP/1.0\r\n\r\n', 200],
  ['of HTTP/1.0 with a host', `GET /api/v1/counts HTTP/1.0\r\n${host}\r\n`, 200],
  ['with the whole address', get('http://127.0.0.1/api/v1/counts'), 200],
  ['with lines that end badly before it', `\r\n\r\n${get('/healthz')}`, 200],
  [
    'with a body that nobody expects',
    `GET /api/v1/counts HTTP/1.1\r\n${host}${close}content-length: 5\r\n\r\nhello`,
    200,
  ],
  ['that offers another protocol', get('/api/v1/counts', 'upgrade: h2c\r\nconnection: upgrade\r\n'), 200],
])('a request %s is answered', async (_what, bytes, status) => {
  const server = await startLiveServer();
  expect(await send(server, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
});

test('every route answers every method, with and without a body, and its client may leave at any moment', async () => {
  const server = await startLiveServer();
  // Whether it is ready is no matter here.
  const routes = apiRoutes.filter(({ path }) => !/^\/(readyz|health)$/.test(path));
  const paths = [...new Set(routes.map(({ path }) => path.replace(/:\w+/g, 'x')))];
  for (const path of [...paths, '/openapi.json', '/healthz', '/', '/tasks'])
    for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']) {
      const heard = await send(server, `${method} ${path} HTTP/1.1\r\n${host}${close}content-length: 0\r\n\r\n`);
      expect([method, path, heard.slice(0, 12)]).toEqual([method, path, expect.stringMatching(/^HTTP\/1\.1 [24]/)]);
    }
  for (const path of paths)
    for (const text of [
      get(path),
      post('content-length: 100\r\n', '{"a":', path),
      post('content-length: 2\r\n', '{}', path),
    ])
      for (const wait of [false, true]) await leave(server, text, wait);
  await waitFor(() => expect(server.sockets.open).toBe(0));
  expect(await send(server, get('/healthz'))).toContain('200 OK');
  expect(server.reported).toEqual([]);
}, 120_000);

/** Sends and is gone: at once, or when the answer begins. */
async function leave({ port }: LiveServer, text: string, waits: boolean): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  if (waits) await Promise.race([once(socket, 'data'), new Promise((resolve) => setTimeout(resolve, 20))]);
  socket.resetAndDestroy();
}
