/**
 * Tests that attacks on a server leave its other clients served, and nothing behind (F41 to F43). That these are hardly slower is measured on a
 * machine that does nothing else, `npm run test:long -- attacks`: beside other tests it would tell of those.
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../src/core/limits.ts';
import { waitFor } from '../support/wait-for.ts';
import type { AttackSettings } from './fixtures/attacker.ts';
import { type Child, createScenario, type Scenario } from './processes.ts';

/** Latencies of one window, in ms: the median of each kind of request. */
type Window = Readonly<Record<(typeof kinds)[number], number>>;

/** A task made, a list, the claim and the end of the task, and news of it over a stream of events and a WebSocket. */
const kinds = ['enqueue', 'list', 'claim', 'event', 'message'] as const;
/** Pairs of windows, without and with the attack: so many at least, and at most until the medians tell of the server and not of the machine. */
const isMeasured = process.env.ATTACKS === 'long';
const pairsMin = 3;
const pairsMax = 12;
const roundsOfWindow = isMeasured ? 12 : 4;
/** What the others may be slowed down by. */
const ratioMax = 2;
/** Growth of the server under attack: its buffers are bounded. */
const growthMaxMb = 250;
/** Of the server, as in a small container: what is really kept has to have room in it, else the server ends; with more it would collect garbage later. */
const heapMaxMb = 256;

let scenario: Scenario;
let server: Child;
let url = '';
let token = '';
/** Where there is an answer of a megabyte. */
let large = '';
const heardAt = { event: new Map<string, number>(), message: new Map<string, number>() };
const feed = new AbortController();

beforeAll(async () => {
  scenario = createScenario();
  server = scenario.command(['server', 'start', '--port', '0', '-o', 'jsonl'], {
    env: {
      TASKFLOW_SERVER_AUTH: 'token',
      TASKFLOW_LOG_LEVEL: 'error',
      NODE_OPTIONS: `--max-old-space-size=${heapMaxMb}`,
    },
  });
  const ready = await server.heard('ready');
  url = String(ready.url);
  token = String(ready.token);
  await Promise.all([followEvents(), followMessages()]);
  const { id } = await post('/api/v1/tasks', { name: 'large', queue: 'large', input: 'x'.repeat(1_000_000) });
  large = `/api/v1/tasks/${id}`;
  await post('/api/v1/worker/register', { worker: { ...worker, queues: { default: 1 } } });
});
afterAll(async () => {
  feed.abort();
  await scenario.end();
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });

const worker = { id: 'honest' };
async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as Record<string, unknown>;
  // A good client is never refused.
  expect([path, response.status, answer]).toEqual([path, expect.toSatisfy((status: number) => status < 300), answer]);
  return answer;
}

function noteIds(text: string, heard: Map<string, number>): void {
  const at = performance.now();
  for (const [, id] of text.matchAll(/"id":"([0-9A-HJKMNP-TV-Z]{26})"/g)) if (id && !heard.has(id)) heard.set(id, at);
}

/** A WebSocket that follows all changes, as a program has it. */
async function followMessages(): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/ws`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('message', (data) => noteIds(String(data), heardAt.message));
  socket.on('error', () => undefined);
  feed.signal.addEventListener('abort', () => socket.terminate());
  socket.send('{"follow":["all"]}');
}

/** A feed of all changes, as a page has it. */
async function followEvents(): Promise<void> {
  const response = await ask('/api/v1/events?topics=all', { signal: feed.signal });
  expect(response.status).toBe(200);
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    let rest = '';
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      noteIds(rest, heardAt.event);
      rest = rest.slice(rest.lastIndexOf('\n') + 1);
    }
  };
  read().catch(() => undefined);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

let claims = 0;
/** What it takes, in ms. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The same requests each time. A good client is never refused. */
async function measure(): Promise<Window> {
  const took: Record<keyof Window, number[]> = { enqueue: [], list: [], claim: [], event: [], message: [] };
  for (let round = 0; round < roundsOfWindow; round++) {
    const began = performance.now();
    const { id } = (await post('/api/v1/tasks', { name: 'good' })) as { id: string };
    took.enqueue.push(performance.now() - began);
    took.list.push(await timed(async () => (await ask('/api/v1/tasks?limit=20')).arrayBuffer()));
    took.claim.push(await timed(() => work(id)));
    for (const kind of ['event', 'message'] as const) {
      await waitFor(() => expect(heardAt[kind].has(id)).toBe(true), { interval: 2, timeout: 60_000 });
      took[kind].push((heardAt[kind].get(id) ?? 0) - began);
    }
  }
  return mapKinds((kind) => median(took[kind]));
}

function mapKinds(value: (kind: keyof Window) => number): Window {
  return Object.fromEntries(kinds.map((kind) => [kind, value(kind)])) as Window;
}

/** Claims the one task there is, and ends it. */
async function work(id: string): Promise<void> {
  const token = `claim-${++claims}-of-the-honest`;
  const claimed = await post('/api/v1/worker/claim', { worker: worker.id, token, queues: { default: 1 } });
  expect(claimed.tasks).toMatchObject([{ id }]);
  const [{ lease }] = claimed.tasks as [{ lease: object }];
  const { results } = await post('/api/v1/worker/outcome', {
    worker: worker.id,
    outcomes: [{ lease, outcome: 'done', result: null }],
  });
  expect(results).toMatchObject([{ result: 'applied' }]);
}

/** A metric without labels, or the sum of one with. */
async function metric(name: string): Promise<number> {
  const text = await (await ask('/metrics')).text();
  const values = [...text.matchAll(new RegExp(`^taskflow_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

const memoryMb = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;

/** The most memory of the server, until it is stopped. */
function watchMemory(): () => number {
  let peak = memoryMb();
  const timer = setInterval(() => {
    if (server.isRunning()) peak = Math.max(peak, memoryMb());
  }, 100);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

/** Windows with and without the attack by turns; answers how much slower the others were, and the attacker. */
async function attack(settings: Pick<AttackSettings, 'mode' | 'count'>): Promise<{ ratios: Window; attacker: Child }> {
  await measure();
  const before = memoryMb();
  const peakOf = watchMemory();
  const attacker = scenario.start('attacker.ts', { ...settings, port: Number(new URL(url).port), token, large });
  await attacker.heard('ready');
  const quiet: Window[] = [];
  const busy: Window[] = [];
  // Of windows beside each other: what else the machine does is much the same in both.
  const ratios = () =>
    mapKinds((kind) => median(busy.map((each, at) => each[kind] / (quiet[at]?.[kind] ?? Number.NaN))));
  for (let pair = 0; pair < pairsMax; pair++) {
    quiet.push(await measure());
    attacker.tell('on');
    await measure();
    busy.push(await measure());
    if (!isMeasured || (pair + 1 >= pairsMin && kinds.every((kind) => ratios()[kind] <= ratioMax))) break;
    attacker.tell('off');
  }
  const growth = peakOf() - before;
  if (isMeasured || process.env.ATTACKS_TOLD) console.log(settings.mode, ratios(), { before, growth });
  expect(growth).toBeLessThan(growthMaxMb);
  return { ratios: ratios(), attacker };
}

/** What the attacker has counted so far. */
async function counted(attacker: Child): Promise<Readonly<Record<string, unknown>>> {
  const times = attacker.said.filter(({ event }) => event === 'counted').length;
  attacker.tell('look');
  await waitFor(() => expect(attacker.said.filter(({ event }) => event === 'counted').length).toBeGreaterThan(times));
  return attacker.said.filter(({ event }) => event === 'counted').at(-1) ?? {};
}

const within = (ratios: Window): void => {
  if (!isMeasured) return;
  for (const kind of kinds)
    expect([kind, ratios[kind]]).toEqual([kind, expect.toSatisfy((ratio: number) => ratio <= ratioMax)]);
};

/** Nothing of it is left: connections but our own, callers whose budget is used, clients that follow. */
async function expectNothingLeft(attacker: Child): Promise<void> {
  attacker.send('SIGKILL');
  await attacker.exited;
  await waitFor(
    async () => {
      expect(await metric('live_connections')).toBe(2);
      expect(await metric('http_connections')).toBeLessThanOrEqual(8);
      // The one who asks, and who guessed: that is remembered for a minute.
      expect(await metric('http_callers')).toBeLessThanOrEqual(2);
    },
    { timeout: 120_000, interval: 500 },
  );
}

test.each([
  ['headers', 'closed 408'],
  ['bodies', 'closed silently'],
] as const)(
  'hundreds who send a byte of %s a second slow nobody down, and are cut off',
  async (mode, end) => {
    const { ratios, attacker } = await attack({ mode, count: 400 });
    within(ratios);
    await waitFor(async () => expect(Number((await counted(attacker))[end] ?? 0)).toBeGreaterThanOrEqual(400), {
      timeout: 150_000,
      interval: 1_000,
    });
    await expectNothingLeft(attacker);
  },
  300_000,
);

test.each(['keys', 'logins'] as const)(
  'who guesses %s is slowed down, tells nobody anything, and locks nobody out',
  async (mode) => {
    const { ratios, attacker } = await attack({ mode, count: 100 });
    within(ratios);
    const refused = async () => Number((await counted(attacker))['answered 429'] ?? 0);
    await waitFor(async () => expect(await refused()).toBeGreaterThan(20), { timeout: 60_000, interval: 500 });
    expect((await counted(attacker))['answered 200'] ?? 0).toBe(0);
    const audit = (await (await ask('/api/v1/audit?limit=200')).json()) as { rows: { outcome: string }[] };
    expect(audit.rows.some(({ outcome }) => /^(TOO_MANY_TRIES|UNAUTHENTICATED)$/.test(outcome))).toBe(true);
    await expectNothingLeft(attacker);
  },
  300_000,
);

/** At least so many of what the attacker counts in words that match. */
async function expectCounted(attacker: Child, what: RegExp, least: number): Promise<void> {
  await waitFor(
    async () => {
      const all = Object.entries(await counted(attacker));
      const sum = all.reduce((total, [name, count]) => total + (what.test(name) ? Number(count) : 0), 0);
      expect([sum, all]).toEqual([expect.toSatisfy((value: number) => value >= least), all]);
    },
    { timeout: 120_000, interval: 500 },
  );
}

test('who floods WebSockets is cut off with a code that says why, and slows nobody down', async () => {
  const { ratios, attacker } = await attack({ mode: 'sockets', count: 40 });
  within(ratios);
  for (const [what, code] of [
    ['changes its mind', 1008],
    ['talks nonsense', 1008],
    ['pings', 1008],
    ['never ends a message', 1008],
    ['sends bytes', 1003],
    ['sends what is no frame', 1002],
    ['says it is compressed', 1002],
    ['sends a megabyte', 1009],
  ] as const)
    await expectCounted(attacker, new RegExp(`^${what} closed ${code}$`), 5);
  await expectNothingLeft(attacker);
}, 300_000);

test('who never becomes a WebSocket is refused or cut off, and slows nobody down', async () => {
  const { ratios, attacker } = await attack({ mode: 'handshakes', count: 150 });
  within(ratios);
  await expectCounted(attacker, /^without a key closed 401$/, 50);
  await expectCounted(attacker, /^not as it should be closed 405$/, 50);
  await expectCounted(attacker, /^a byte a second closed 408$/, 50);
  await expectNothingLeft(attacker);
}, 300_000);

test('a crowd that follows everything and reads nothing is kept to its number, and slows nobody down', async () => {
  const { ratios, attacker } = await attack({ mode: 'crowd', count: limits.livePerAddressMax + 200 });
  within(ratios);
  await expectCounted(attacker, /^follows closed 429$/, 200);
  expect(await metric('live_connections')).toBeLessThanOrEqual(limits.livePerAddressMax + 2);
  await expectNothingLeft(attacker);
}, 300_000);

test('who asks for gigabytes and reads nothing costs a bounded memory, and slows nobody down', async () => {
  const { ratios, attacker } = await attack({ mode: 'deaf', count: 200 });
  within(ratios);
  await expectCounted(attacker, /^opened$/, 200);
  await expectNothingLeft(attacker);
}, 300_000);
