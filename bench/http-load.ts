/**
 * Clients for the bench of HTTP: connections that are kept, each with one request under way. Usage: node http-load.ts KIND PORT SECONDS; prints
 * `warm` when the server has answered for a second and often enough to have compiled what it runs, and in the end how many were answered
 * since, and in how many milliseconds: that many seconds, and more on a machine that is busy, until there were enough to tell.
 */

import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { sleep, systemClock } from '../src/core/time.ts';

const [kind = 'single', port = '0', seconds = '4'] = process.argv.slice(2);

const task = JSON.stringify({ name: 'email.welcome', input: { userId: 'ada-lovelace', text: 'x'.repeat(90) } });
const perRequest = 1_000;
const head = (path: string, type: string, length: string) =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`;
const request = (path: string, type: string, body: string) =>
  Buffer.from(head(path, type, `content-length: ${Buffer.byteLength(body)}`) + body);

const tasks = Array.from({ length: perRequest }, () => task);
const kinds = {
  single: { connections: 64, counts: 1, enough: 8_000, bytes: request('/api/v1/tasks', 'application/json', task) },
  batch: {
    connections: 4,
    counts: perRequest,
    enough: 100_000,
    bytes: request('/api/v1/tasks/batch', 'application/json', `{"tasks":[${tasks.join(',')}]}`),
  },
  // Twenty times as long: a stream of many chunks.
  stream: {
    connections: 2,
    counts: perRequest * 20,
    enough: 100_000,
    bytes: request(
      '/api/v1/tasks/batch?answers=problems',
      'application/x-ndjson',
      `${Array.from({ length: 20 }, () => tasks.join('\n')).join('\n')}\n`,
    ),
  },
};

const chosen = kinds[kind as keyof typeof kinds];
let answered = 0;
const sockets = Array.from({ length: chosen.connections }, () => drive(connect(Number(port), '127.0.0.1')));
await passed(1_000, chosen.enough);
console.log('warm');
const [began, before] = [systemClock.elapsed(), answered];
await passed(Number(seconds) * 1_000, chosen.enough);
console.log(`${answered - before} ${systemClock.elapsed() - began}`);
for (const socket of sockets) socket.destroy();

/** Waits so long and for so many answers, but no longer than a minute. */
async function passed(ms: number, enough: number): Promise<void> {
  const [from, until] = [answered, systemClock.elapsed() + 60_000];
  await sleep(systemClock, ms);
  while (answered - from < enough && systemClock.elapsed() < until) await sleep(systemClock, 5);
}

/** Sends the next request when the answer is there: with its length, or to the last chunk. */
function drive(socket: Socket): Socket {
  let text = '';
  const next = (): void => {
    text = '';
    socket.write(chosen.bytes);
  };
  socket.setNoDelay();
  socket.setEncoding('latin1');
  socket.on('connect', next);
  socket.on('data', (data: string) => {
    text += data;
    if (!isWhole(text)) return;
    if (!/^HTTP\/1\.1 20[01] /.test(text)) throw new Error(text.slice(0, 300));
    answered += chosen.counts;
    next();
  });
  return socket;
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1];
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= end + 4 + Number(length);
}
