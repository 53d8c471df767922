/** Starts the server as a process of its own, and waits until it is ready. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { taskFlowError } from '../core/errors.ts';
import { sleep, systemClock } from '../core/time.ts';
import type { Call } from './command.ts';
import { readServerRecord, type ServerRecord, serverLogPath, serverRecordPath } from './pidfile.ts';
import { mark, paint } from './terminal.ts';

/** A server opens its store and its port; a large migration is the longest of it. */
const readyMs = 60_000;
const lookMs = 50;

/** Resolves to the exit code once the server answers. Throws SERVER_RUNNING and SERVER_NOT_STARTED. */
export async function startDetached(call: Call): Promise<number> {
  const config = await call.config();
  const path = serverRecordPath(config);
  const other = readServerRecord(path);
  if (other !== null) throw taskFlowError('SERVER_RUNNING', { pid: other.pid, url: other.url });
  const log = serverLogPath(config);
  mkdirSync(dirname(log), { recursive: true });
  const record = await launch(call, path, log);
  const { terminal } = call.output;
  call.output.record({ id: (row) => String(row.pid) }, { started: true, pid: record.pid, url: record.url, log }, () => [
    terminal.isPerson
      ? `${paint(terminal, mark(terminal, 'ok'), 'ok')} The server is at ${record.url} (pid ${record.pid}, log ${relative(call.cwd, log)})`
      : ['started', record.pid, record.url, log].join('\t'),
  ]);
  return 0;
}

async function launch(call: Call, recordPath: string, log: string): Promise<ServerRecord> {
  const file = openSync(log, 'a');
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
