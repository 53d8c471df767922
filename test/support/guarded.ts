/** A whole server without a port that asks for keys, on a clock that a test moves. */

import { createApp, type Peer } from '../../src/api/app.ts';
import { createAuthenticate } from '../../src/api/authenticate.ts';
import { createGate, type Gate, type GateOptions } from '../../src/api/gate.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import type { Access, CreatedKey, NewKey } from '../../src/core/access.ts';
import { seededChance } from '../../src/core/chance.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext } from '../../src/operations/operation.ts';
import { createTestAccess } from './access.ts';
import { base } from './http.ts';
import { createManualClock } from './manual-clock.ts';
import { createMemoryHistory } from './memory-history.ts';

export interface GuardedServer {
  readonly access: Access;
  readonly store: Store;
  readonly context: OperationContext;
  /** What was reported as nobody's mistake but ours. */
  readonly reported: unknown[];
  /** What whoever runs it was told. */
  readonly warned: string[];
  readonly gate: Gate;
  /** How often keys and sessions were read from the store. */
  lookups(): number;
  /** Asks with these headers; from this address. */
  ask(path: string, init?: RequestInit, peer?: Peer): Promise<Response>;
  /** Asks with a key. */
  askWith(token: string, path: string, init?: RequestInit): Promise<Response>;
  newKey(given?: Partial<NewKey>): Promise<CreatedKey>;
  /** Signs in as a browser would. Answers what its `Cookie` header says then. */
  signIn(token: string): Promise<string>;
  move(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What a browser sends with a form of our own page. */
export const ownPage = { 'sec-fetch-site': 'same-origin', origin: base };

export async function startGuarded(rates: Omit<GateOptions, 'clock'> = {}): Promise<GuardedServer> {
  const clock = createManualClock(Date.UTC(2026, 10, 23, 9, 0, 0));
  const chance = seededChance(7);
  const broker = createMemoryBroker({ now: clock.now, chance });
  await broker.open();
  const rig = await createTestAccess(clock);
  const { access } = rig;
  const store: Store = { broker, history: createMemoryHistory(broker.state), access, close: () => broker.close() };
  const reported: unknown[] = [];
  const warned: string[] = [];
  const context = createContext({ store, clock, chance, actor: { name: 'server', role: 'admin' } });
  const gate = createGate({ clock, ...rates });
  const fetch = createApp({
    context,
    access,
    authenticate: createAuthenticate(access, gate),
    gate,
    pages: createPages({ version: '0.0.0' }),
    hosts: ['tasks.test'],
    report: (error) => reported.push(error),
    warn: (text) => warned.push(text),
  });
  const ask = (path: string, init: RequestInit = {}, peer: Peer = { address: '127.0.0.1' }) =>
    fetch(new Request(base + path, init), peer);
  return {
    access,
    store,
    context,
    reported,
    warned,
    gate,
    lookups: rig.reads,
    ask,
    askWith: (token, path, init = {}) =>
      ask(path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }),
    newKey: (given = {}) =>
      access.keys.create({
        kind: 'user',
        label: 'ada',
        role: 'admin',
        scopes: null,
        queues: null,
        createdBy: 'test',
        expiresInMs: null,
        ...given,
      }),
    async signIn(token) {
      const response = await ask('/login', { method: 'POST', headers: ownPage, body: new URLSearchParams({ token }) });
      return cookieOf(response);
    },
    move: (ms) => clock.advance(ms),
    async close() {
      await broker.close();
      rig.close();
    },
  };
}

/** `name=value` of the cookie that an answer sets. */
export function cookieOf(response: Response): string {
  return (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
}
