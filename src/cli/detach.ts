/** Starts the server as a process of its own, and waits until it is ready. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import type { Config } from '../config/load.ts';
import { taskFlowError } from '../core/errors.ts';
import { sleep, systemClock } from '../core/time.ts';
import type { Call } from './command.ts';
import { readServerRecord, type ServerRecord, serverLogPath, serverRecordPath } from './pidfile.ts';
import { createSession, openConfiguredStore } from './session.ts';
import { mark, paint } from './terminal.ts';
import { linkUrl, type Welcome, welcome } from './welcome.ts';

/** A server opens its store and its port; a large migration is the longest of it. */
const readyMs = 60_000;
const lookMs = 50;

/** Resolves to the exit code once the server answers. Throws SERVER_RUNNING and SERVER_NOT_STARTED. */
export async function startDetached(call: Call): Promise<number> {
  const config = await call.config();
  const path = serverRecordPath(config);
  const other = readServerRecord(path);
  if (other !== null) throw taskFlowError('SERVER_RUNNING', { pid: other.pid, url: other.url });
  const entrance = await firstEntrance(call, config);
  const log = serverLogPath(config);
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const record = await launch(call, path, log);
  const { terminal } = call.output;
  const login = entrance?.link == null ? {} : { login: linkUrl(record.url, entrance.link) };
  const token = entrance?.token == null ? {} : { token: entrance.token };
  const document = { started: true, pid: record.pid, url: record.url, log, ...login, ...token };
  call.output.record({ id: (row) => String(row.pid) }, document, () => [
    terminal.isPerson
      ? `${paint(terminal, mark(terminal, 'ok'), 'ok')} The server is at ${record.url} (pid ${record.pid}, log ${relative(call.cwd, log)})`
      : ['started', record.pid, record.url, log].join('\t'),
    ...Object.values(login).map((link) => `  Sign in    ${link}   once, within 10 minutes`),
    ...Object.values(token).map((key) => `  Admin key  ${key}   shown this once: keep it`),
  ]);
  return 0;
}

/** The first key is shown here, where somebody looks: what the server itself says is in a log. */
async function firstEntrance(call: Call, config: Config): Promise<Welcome | null> {
  if (config.settings['server.auth'] === 'none') return null;
  const store = await openConfiguredStore(call, config);
  try {
    return await welcome(call, store, (await createSession(config, store)).context.actor.name);
  } finally {
    await store.close();
  }
}

async function launch(call: Call, recordPath: string, log: string): Promise<ServerRecord> {
  const file = openSync(log, 'a', 0o600);
  const before = readFileSync(log, 'utf8').length;
  const words = process.argv.slice(2).filter((word) => word !== '--detach' && word !== '--json');
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...words], {
    cwd: process.cwd(),
    detached: true,
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  const startedAt = systemClock.elapsed();
  for (;;) {
    const record = readServerRecord(recordPath);
    if (record?.pid === child.pid && record !== null) {
      child.unref();
      return record;
    }
    if (ended || systemClock.elapsed() - startedAt > readyMs) break;
    await sleep(systemClock, lookMs);
  }
  if (!ended) child.kill();
  const problem =
    readFileSync(log, 'utf8').slice(before).trim().split('\n').slice(-8).join('\n  ') || 'it said nothing';
  throw taskFlowError(
    'SERVER_NOT_STARTED',
    { problem: `\n  ${problem}` },
    { hint: `The whole log: ${relative(call.cwd, log)}` },
  );
}
