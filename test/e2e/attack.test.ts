/**
 * Tests that attacks on a server leave its other clients served, and nothing behind (F41, F42). That these are hardly slower is measured on a
 * machine that does nothing else, `npm run test:long -- attacks`: beside other tests it would tell of those.
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import type { AttackSettings } from './fixtures/attacker.ts';
import { type Child, createScenario, type Scenario } from './processes.ts';

/** Latencies of one window, in ms: the median of each kind of request. */
type Window = Readonly<Record<'enqueue' | 'list' | 'event', number>>;

const kinds = ['enqueue', 'list', 'event'] as const;
/** Pairs of windows, without and with the attack: so many at least, and at most until the medians tell of the server and not of the machine. */
const isMeasured = process.env.ATTACKS === 'long';
const pairsMin = 3;
const pairsMax = 12;
const roundsOfWindow = isMeasured ? 12 : 4;
/** What the others may be slowed down by. */
const ratioMax = 2;
/** Growth of the server under attack: its buffers are bounded. */
const growthMaxMb = 250;

let scenario: Scenario;
let server: Child;
let url = '';
let token = '';
const heardAt = new Map<string, number>();
const feed = new AbortController();

beforeAll(async () => {
  scenario = createScenario();
  server = scenario.command(['server', 'start', '--port', '0', '-o', 'jsonl'], {
    env: { TASKFLOW_SERVER_AUTH: 'token', TASKFLOW_LOG_LEVEL: 'error' },
  });
  const ready = await server.heard('ready');
  url = String(ready.url);
  token = String(ready.token);
  await follow();
});
afterAll(async () => {
  feed.abort();
  await scenario.end();
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });

/** A feed of all changes, as a page has it. */
async function follow(): Promise<void> {
  const response = await ask('/api/v1/events?topics=all', { signal: feed.signal });
  expect(response.status).toBe(200);
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    let rest = '';
    for await (const chunk of response.body ?? []) {
      const at = performance.now();
      rest += decoder.decode(chunk, { stream: true });
      for (const [, id] of rest.matchAll(/"id":"([0-9A-HJKMNP-TV-Z]{26})"/g))
        if (id && !heardAt.has(id)) heardAt.set(id, at);
      rest = rest.slice(rest.lastIndexOf('\n') + 1);
    }
  };
  read().catch(() => undefined);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The same requests each time. A good client is never refused. */
async function measure(): Promise<Window> {
  const took: Record<keyof Window, number[]> = { enqueue: [], list: [], event: [] };
  for (let round = 0; round < roundsOfWindow; round++) {
    const began = performance.now();
    const made = await ask('/api/v1/tasks', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"good"}',
    });
    const { id } = (await made.json()) as { id: string };
    took.enqueue.push(performance.now() - began);
    expect(made.status).toBe(201);
    const asked = performance.now();
    const listed = await ask('/api/v1/tasks?limit=20');
    await listed.arrayBuffer();
    took.list.push(performance.now() - asked);
    expect(listed.status).toBe(200);
    await waitFor(() => expect(heardAt.has(id)).toBe(true), { interval: 2, timeout: 60_000 });
    took.event.push((heardAt.get(id) ?? 0) - began);
  }
  return { enqueue: median(took.enqueue), list: median(took.list), event: median(took.event) };
}

/** A metric without labels, or the sum of one with. */
async function metric(name: string): Promise<number> {
  const text = await (await ask('/metrics')).text();
  const values = [...text.matchAll(new RegExp(`^taskflow_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

const memoryMb = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;

/** Windows with and without the attack by turns; answers how much slower the others were, and the attacker. */
async function attack(settings: Pick<AttackSettings, 'mode' | 'count'>): Promise<{ ratios: Window; attacker: Child }> {
  await measure();
  const before = memoryMb();
  const attacker = scenario.start('attacker.ts', { ...settings, port: Number(new URL(url).port), token });
  await attacker.heard('ready');
  const quiet: Window[] = [];
  const busy: Window[] = [];
  const ratioOf = (kind: keyof Window) =>
    median(busy.map((each) => each[kind])) / median(quiet.map((each) => each[kind]));
  const ratios = (): Window => ({ enqueue: ratioOf('enqueue'), list: ratioOf('list'), event: ratioOf('event') });
  for (let pair = 0; pair < pairsMax; pair++) {
    quiet.push(await measure());
    attacker.tell('on');
    await measure();
    busy.push(await measure());
    expect(memoryMb() - before).toBeLessThan(growthMaxMb);
    if (!isMeasured || (pair + 1 >= pairsMin && kinds.every((kind) => ratioOf(kind) <= ratioMax))) break;
    attacker.tell('off');
  }
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
      expect(await metric('live_connections')).toBe(1);
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
