/** Tests that a program which follows a server hears everything once, however often its connection breaks. */
import { expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createLiveEndpoint } from '../../src/api/live/endpoint.ts';
import { serve } from '../../src/api/serve.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { seededChance, systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import type { LiveMessage } from '../../src/core/live.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { createLiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import { followLive } from '../../src/remote/follow-live.ts';
import { newTask } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);
/** Waits a twentieth of the time. */
const hasty: Clock = { ...systemClock, schedule: (ms, callback) => systemClock.schedule(ms / 20, callback) };

async function start() {
  const store = createSqliteStore({ file: ':memory:' });
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'ada', role: 'viewer' } });
  const live = createLiveEndpoint({ hub: createLiveHub({ context, report: () => undefined }), clock: systemClock });
  const fetch = createApp({ context, live, report: () => undefined });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  onTestFinished(async () => {
    await live.close();
    await server.close(0);
    await store.close();
  });
  return { store, url: server.url };
}

test.each([1, 2, 3])('every change comes once across connections that break at random (seed %i)', async (seed) => {
  const { store, url } = await start();
  const chance = seededChance(seed);
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const messages: LiveMessage[] = [];
  let connections = 0;
  let losses = 0;
  // Fails to connect, is refused for now, or breaks after a while.
  const breaking: typeof fetch = async (address, init) => {
    connections += 1;
    if (chance.float() < 0.2) throw new TypeError('fetch failed');
    if (chance.float() < 0.2) return Response.json({ detail: 'later' }, { status: 503 });
    const cut = new AbortController();
    systemClock.schedule(chance.float() * 200, () => cut.abort());
    return fetch(address, { ...init, signal: AbortSignal.any([cut.signal, abort.signal]) });
  };
  const following = followLive({
    url,
    topics: ['all'],
    signal: abort.signal,
    onMessage: (message) => void messages.push(message),
    onLost: () => void losses++,
    fetch: breaking,
    clock: hasty,
    chance,
  });
  const told = () =>
    messages.flatMap((message) => (message.type === 'changes' ? message.changes.map(({ id }) => id) : []));
  await waitFor(() => expect(messages.length).toBeGreaterThan(0));
  const made = ids.many(60);
  for (const id of made) {
    await store.broker.enqueue([newTask(id)]);
    if (chance.float() < 0.3) await new Promise((resolve) => setTimeout(resolve, chance.float() * 60));
  }
  await waitFor(() => expect(told()).toHaveLength(60));
  expect(told()).toEqual(made);
  expect(messages.filter(({ type }) => type === 'resync')).toEqual([]);
  expect(Math.min(connections, losses)).toBeGreaterThan(1);
  abort.abort();
  await following;
});

test('what a server refuses is not asked again', async () => {
  const { url } = await start();
  const { signal } = new AbortController();
  const following = followLive({ url, topics: ['nonsense'], signal, onMessage: () => undefined });
  await expect(following).rejects.toMatchObject({ code: 'INVALID_OPTION' });
});

test('a listener that throws ends the following with its error', async () => {
  const { url } = await start();
  const { signal } = new AbortController();
  const mistake = new Error('a mistake of the listener');
  const onMessage = (): void => {
    throw mistake;
  };
  await expect(followLive({ url, topics: ['all'], signal, onMessage })).rejects.toBe(mistake);
});
