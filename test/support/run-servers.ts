/**
 * What one run of tests shares: a Postgres, started when the first file asks for it, and who had to do without a server. Test
 * files run in processes of their own and ask over HTTP.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import process from 'node:process';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { type PostgresServer, startPostgres, withoutSync } from '../../src/servers/postgres.ts';
import { installLine, type ServerKind } from '../../src/servers/programs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask, ending in a slash. */
    readonly runServers: string;
    /** `REDIS_URL` and `DATABASE_URL` as they were given, or ''. */
    readonly givenServers: Readonly<Record<ServerKind, string>>;
  }
}

/** Vitest calls it before the first test of a run, and what it returns after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let postgres: Promise<PostgresServer> | null = null;
  const missing = new Map<ServerKind, number>();
  const answers: Readonly<Record<string, () => Promise<string>>> = {
    '/postgres': async () => {
      postgres ??= startPostgres([...withoutSync, 'max_connections=200']);
      return (await postgres).url;
    },
    '/missing/redis': async () => count(missing, 'redis'),
    '/missing/postgres': async () => count(missing, 'postgres'),
  };
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ''] ?? (() => Promise.reject(new Error(`no ${request.url} here`)));
    answer().then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  project.provide('runServers', typeof address === 'object' ? `http://127.0.0.1:${address?.port}/` : '');
  project.provide('givenServers', { redis: take('REDIS_URL'), postgres: take('DATABASE_URL') });
  return async () => {
    server.close();
    server.closeAllConnections();
    if (postgres !== null) await (await postgres).stop();
    if (missing.size > 0) console.log(tellMissing(missing));
  };
}

/** The Postgres of this run. */
export function sharedPostgres(): Promise<string> {
  return ask('postgres');
}

/** Has the end of the run tell that a file could not be tested. */
export function noteMissing(kind: ServerKind): Promise<string> {
  return ask(`missing/${kind}`);
}

/** The lines at the end of a run. */
export function tellMissing(missing: ReadonlyMap<ServerKind, number>): string {
  const kinds = [...missing].map(([kind, files]) => `${kind} (files of tests: ${files})`).join(' and ');
  return `\nNot tested, since there is no server to start: ${kinds}.\nTo test it: ${installLine([...missing.keys()])}`;
}

/** Programs under test would take it for their broker. */
function take(variable: string): string {
  const url = process.env[variable] ?? '';
  delete process.env[variable];
  return url;
}

function count(missing: Map<ServerKind, number>, kind: ServerKind): string {
  missing.set(kind, (missing.get(kind) ?? 0) + 1);
  return '';
}

async function ask(path: string): Promise<string> {
  const response = await fetch(`${inject('runServers')}${path}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/** Whether a run may leave out what it has no server for: continuous integration sets `SERVERS=required`. */
export function mayLeaveOut(): boolean {
  return process.env.SERVERS !== 'required';
}
