/** What `up`, `server start` and `worker start` say when they are ready. */

import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { BrokerInfo } from '../broker/broker.ts';
import type { Config } from '../config/load.ts';
import { maskUrl } from '../config/mask.ts';
import { formatDuration } from '../core/duration.ts';
import { fileOfUrl, storeFile } from './session.ts';
import { oneLine } from './table.ts';
import { cut, mark, paint, type Terminal } from './terminal.ts';

export interface BannerFacts {
  readonly version: string;
  readonly readyMs: number;
  readonly config: Config;
  readonly cwd: string;
  readonly info: BrokerInfo;
  /** Where the server is; `null` without one. */
  readonly url: string | null;
  /** Signs in once; absent where nobody needs to sign in, or is shown how. */
  readonly login?: string;
  /** The first key of the store, shown this once. */
  readonly token?: string;
  /** `null` without a worker. */
  readonly worker: {
    readonly name: string;
    readonly queues: Readonly<Record<string, number>>;
    readonly isShared: boolean;
  } | null;
  /** Names of the tasks found; `null` without a worker. */
  readonly tasks: readonly string[] | null;
}

/** Names shown before the rest is counted. */
const namesMax = 6;

export function bannerLines(terminal: Terminal, facts: BannerFacts): string[] {
  const { config, url, login, token, worker, tasks, cwd } = facts;
  const environment =
    config.settings.env === null
      ? ''
      : `   ${paint(terminal, config.settings.env, /prod/i.test(config.settings.env) ? 'error' : 'warning')}`;
  const rows: [string, string][] = [];
  if (url !== null)
    rows.push([
      'Dashboard',
      `${paint(terminal, url, 'bold')}${' '.repeat(Math.max(3, 28 - url.length))}${paint(terminal, 'API', 'muted')}  ${url}/api/v1`,
    ]);
  if (login !== undefined)
    rows.push([
      'Sign in',
      `${paint(terminal, login, 'bold')}   ${paint(terminal, 'once, within 10 minutes', 'muted')}`,
    ]);
  if (token !== undefined)
    rows.push(['Admin key', `${token}   ${paint(terminal, 'shown this once: keep it', 'warning')}`]);
  rows.push(['Store', storeText(config, facts.info, cwd)]);
  if (tasks !== null) rows.push(['Tasks', tasksText(terminal, tasks, config, cwd)]);
  if (worker !== null)
    rows.push(['Worker', `${worker.name}   ${paint(terminal, queuesText(terminal, worker), 'muted')}`]);
  return [
    `  ${paint(terminal, `taskflow ${facts.version}`, 'bold')}   ${paint(terminal, `ready in ${formatDuration(facts.readyMs)}`, 'muted')}${environment}`,
    '',
    ...rows.map(([label, text]) => `  ${paint(terminal, label.padEnd(9), 'muted')}  ${text}`),
    '',
  ];
}

function storeText(config: Config, info: BrokerInfo, cwd: string): string {
  const file = storeFile(config);
  const kind = { memory: 'memory', sqlite: 'SQLite', postgres: 'Postgres', redis: 'Redis', http: 'a server' }[
    info.kind
  ];
  const where = file === null ? maskUrl(config.settings.broker) : relative(cwd, file) || file;
  if (info.kind === 'redis') return `${where} (${kind}, ${info.detail})${recordText(config, cwd)}`;
  return `${where} (${kind}, ${info.detail})`;
}

function recordText({ settings: { store } }: Config, cwd: string): string {
  if (store === null) return '';
  const file = fileOfUrl(store);
  return `, record ${file === null ? maskUrl(store) : relative(cwd, file) || file}`;
}

function tasksText(terminal: Terminal, tasks: readonly string[], config: Config, cwd: string): string {
  const existing = config.settings.tasks.filter((folder) => existsSync(folder));
  const folders = (existing.length > 0 ? existing : config.settings.tasks)
    .map((folder) => relative(cwd, folder) || '.')
    .join(', ');
  if (tasks.length === 0) return `${paint(terminal, 'none', 'warning')} in ${folders}`;
  const names = tasks
    .slice(0, namesMax)
    .map(oneLine)
    .join(` ${mark(terminal, 'dot')} `);
  const rest = tasks.length > namesMax ? ` and ${tasks.length - namesMax} more` : '';
  return `${tasks.length} in ${folders}   ${paint(terminal, cut(terminal, names + rest, Math.max(20, terminal.width - 24 - folders.length)), 'muted')}`;
}

function queuesText(terminal: Terminal, { queues, isShared }: NonNullable<BannerFacts['worker']>): string {
  const times = mark(terminal, 'times');
  const names = Object.keys(queues);
  if (isShared && names.length > 1) return `${names.join(', ')} ${times}${Object.values(queues)[0]} in all`;
  return names.map((name) => `${name} ${times}${queues[name]}`).join(` ${mark(terminal, 'dot')} `);
}
