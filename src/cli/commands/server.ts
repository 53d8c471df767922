/** `taskflow server start|stop|status` */

import { formatDuration, parseDuration } from '../../core/duration.ts';
import { taskFlowError } from '../../core/errors.ts';
import { sleep, systemClock } from '../../core/time.ts';
import { type HealthDocument, systemHealth } from '../../operations/system.ts';
import type { Call, CommandSpec } from '../command.ts';
import { isRunning, readServerRecord, serverRecordPath } from '../pidfile.ts';
import { withSession } from '../session.ts';
import { fieldLines } from '../table.ts';
import { mark, paint } from '../terminal.ts';
import { relativeTime } from '../times.ts';

const start: CommandSpec = {
  name: 'start',
  summary: 'Start the API, the dashboard and the engine’s services, without a worker',
  isLocal: true,
  options: [
    { flags: '--detach', description: 'Go on in the background; taskflow server stop ends it' },
    { flags: '--insecure', description: 'Listen beyond this machine also with --auth none' },
  ],
  settings: [
    'server.port',
    'server.host',
    'server.hosts',
    'server.auth',
    'server.basePath',
    'server.trustProxy',
    'server.streamMax',
    'worker.lease',
    'log.level',
    'log.format',
    'env',
  ],
  example: 'taskflow server start --port 8001 --detach',
  run: async (call) =>
    call.has('detach')
      ? (await import('../detach.ts')).startDetached(call)
      : (await import('../process.ts')).runProcess(call, { server: true, worker: 'none' }),
};

/** How long a stop may take beyond the drain of a worker in the same process. */
const stopSlackMs = 20_000;
const lookMs = 50;

const stop: CommandSpec = {
  name: 'stop',
  summary: 'Stop the server of this project and wait until it is gone',
  isLocal: true,
  options: [{ flags: '--timeout <duration>', description: 'Wait at most this long (exit code 8)' }],
  example: 'taskflow server stop',
  async run(call) {
    const config = await call.config();
    const path = serverRecordPath(config);
    const record = readServerRecord(path);
    if (record === null) throw taskFlowError('SERVER_NOT_RUNNING', { where: `no record of one in ${path}` });
    const timeout = call.text('timeout');
    const patienceMs =
      timeout === undefined ? config.settings['worker.drain'] + stopSlackMs : parseDuration(timeout, '--timeout');
    const startedAt = systemClock.elapsed();
    process.kill(record.pid, 'SIGTERM');
    while (isRunning(record)) {
      if (systemClock.elapsed() - startedAt > patienceMs)
        throw taskFlowError('STOP_TIMEOUT', { pid: record.pid, timeout: formatDuration(patienceMs) });
      await sleep(systemClock, lookMs);
    }
    const document = {
      stopped: true,
      pid: record.pid,
      url: record.url,
      tookMs: Math.round(systemClock.elapsed() - startedAt),
    };
    const { terminal } = call.output;
    call.output.record({ id: (row) => String(row.pid) }, document, () => [
      terminal.isPerson
        ? `${paint(terminal, mark(terminal, 'ok'), 'ok')} Stopped the server at ${record.url} (pid ${record.pid}) in ${formatDuration(document.tookMs)}`
        : `stopped\t${record.pid}\t${record.url}`,
    ]);
    return 0;
  },
};

const status: CommandSpec = {
  name: 'status',
  summary: 'Say whether the server of this project answers (exit code 6 when not)',
  settings: ['server.port', 'server.host'],
  example: 'taskflow server status --json',
  async run(call) {
    const server = call.text('server');
    if (server !== undefined)
      return withSession(call, async ({ ask }) => {
        const health = await ask(systemHealth, {});
        return showStatus(call, { running: true, url: server, pid: null, startedAt: null, health });
      });
    const { settings, ...config } = await call.config();
    const record = readServerRecord(serverRecordPath({ settings, ...config }));
    const url = record?.url ?? `http://${settings['server.host']}:${settings['server.port']}`;
    if (!(await answers(url)))
      throw taskFlowError('SERVER_NOT_RUNNING', {
        where: `nobody answers at ${url}${record === null ? '' : `, though process ${record.pid} is alive`}`,
      });
    // What it lets nobody read is in its store.
    const health = await withSession(call, ({ ask }) => ask(systemHealth, {}));
    const { pid = null, startedAt = null } = record ?? {};
    return showStatus(call, { running: true, url, pid, startedAt, health });
  },
};

export const commands = [start, stop, status];

/** Whether a server answers in time, and nobody else does. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(3_000) });
    const body: unknown = await response.json();
    return response.ok && typeof body === 'object' && body !== null && 'status' in body;
  } catch {
    return false;
  }
}

interface StatusDocument {
  readonly running: true;
  readonly url: string;
  readonly pid: number | null;
  readonly startedAt: string | null;
  readonly health: HealthDocument;
}

function showStatus(call: Call, document: StatusDocument): number {
  call.output.record({ id: (row) => row.url }, document, () => statusLines(call, document));
  return 0;
}

function statusLines({ output: { terminal } }: Call, { url, pid, startedAt, health }: StatusDocument): string[] {
  const { workers, slots, running } = health;
  const fields = fieldLines(terminal, [
    { label: 'Url', text: url },
    { label: 'Pid', text: pid === null ? null : String(pid), raw: String(pid ?? '') },
    {
      label: 'Started',
      text: startedAt === null ? null : relativeTime(Date.parse(startedAt), systemClock.now()),
      raw: startedAt ?? '',
    },
    {
      label: 'Workers',
      text: `${String(workers)} with ${String(slots)} slots, ${String(running)} running`,
      raw: String(workers),
    },
  ]);
  return terminal.isPerson ? [`${paint(terminal, mark(terminal, 'ok'), 'ok')} The server answers`, ...fields] : fields;
}
