/** What a process that stays says besides its output: lines of JSON for a collector, or words for a person at a terminal. */

import type { OnAnswered } from '../api/answered.ts';
import { systemClock } from '../core/time.ts';
import type { Log } from '../telemetry/log.ts';
import type { Call } from './command.ts';

/** The same call, whose words to stderr are lines of the log where that is wanted. */
export interface LoggedCall {
  readonly call: Call;
  /** Given where lines are written. */
  readonly onAnswered?: OnAnswered;
}

/** As `log.format` says: `auto` is words where stderr is a terminal. */
export async function withLog(call: Call): Promise<LoggedCall> {
  const { settings } = await call.config();
  const format = settings['log.format'];
  if (format === 'text' || (format === 'auto' && call.stderr.isTTY === true)) return { call };
  const { createLog } = await import('../telemetry/log.ts');
  const { stderr } = call;
  const log = createLog({
    level: settings['log.level'],
    now: systemClock.now,
    pid: process.pid,
    write: (line) => void stderr.write(line),
  });
  const output = {
    ...call.output,
    note: (text: string) => log.info(text.trim()),
    warn: (text: string) => log.warn(text.trim()),
  };
  // Whatever else is written is an error: it becomes one line, however many it has.
  const sink = { write: (text: string) => log.error(text.trim()) };
  return { call: { ...call, output, stderr: sink }, onAnswered: (answered) => tellAnswered(log, answered) };
}

/** Probes and scrapes come every few seconds and say nothing new. */
const quiet: ReadonlySet<string | null> = new Set(['/healthz', '/readyz', '/health', '/metrics']);

function tellAnswered(log: Log, { requestId, method, route, status, ms, ...who }: Parameters<OnAnswered>[0]): void {
  const { actor, address = null } = who;
  const fields = { requestId, method, route, status, ms: Math.round(ms * 10) / 10, actor, address };
  if (status >= 500) log.error('request', fields);
  else if (quiet.has(route)) log.debug('request', fields);
  else log.info('request', fields);
}
