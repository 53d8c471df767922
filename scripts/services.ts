// Redis and Postgres to develop with, started from what is installed, on free ports, kept until Ctrl-C: `npm run services`.
// With REDIS_URL or DATABASE_URL set, those are taken as they are and not started.

import process from 'node:process';
import { startPostgres } from '../src/servers/postgres.ts';
import { installLine, missingServers, type ServerKind } from '../src/servers/programs.ts';
import { startRedis } from '../src/servers/redis.ts';
import type { Server } from '../src/servers/throw-away.ts';

const start: Readonly<Record<ServerKind, () => Promise<Server>>> = {
  redis: () => startRedis(['--appendonly', 'yes']),
  postgres: () => startPostgres(),
};
const variables: Readonly<Record<ServerKind, string>> = { redis: 'REDIS_URL', postgres: 'DATABASE_URL' };

const wanted = (['redis', 'postgres'] as const).filter((kind) => (process.env[variables[kind]] ?? '') === '');
const missing = missingServers(wanted);
if (missing.length > 0) console.log(`# not here: ${missing.join(' and ')}. ${installLine(missing)}`);

const stopped = stopSignal();
const servers = await Promise.all(wanted.filter((kind) => !missing.includes(kind)).map(startOne));
for (const kind of ['redis', 'postgres'] as const) {
  if (!wanted.includes(kind)) console.log(`# given   ${variables[kind]}`);
}
if (servers.length > 0) {
  console.log('# They run until Ctrl-C; what is in them is gone then.');
  await stopped;
  await Promise.all(servers.map((server) => server.stop()));
}
process.exit(missing.length > 0 && servers.length === 0 ? 1 : 0);

async function startOne(kind: ServerKind): Promise<Server> {
  const server = await start[kind]();
  console.log(`${variables[kind]}=${server.url}`);
  return server;
}

/** Resolves at the first wish that this ends. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    // A signal handler alone keeps no process alive.
    setInterval(() => {}, 60_000);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}
