/** `taskflow db move`: one store into another, empty one. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type MoveOptions, type MoveReport, move as moveStore, planMove } from '../broker/sql/move.ts';
import { isRedis } from '../broker/store-url.ts';
import { maskUrl } from '../config/mask.ts';
import { systemChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { invalidOption } from '../core/option-names.ts';
import type { Call, CommandSpec } from './command.ts';
import { isLiveMove, moveLive } from './db-move-live.ts';
import { mark, paint } from './terminal.ts';

/** What a move came to, as a document. */
interface MoveDocument extends MoveReport {
  readonly from: string;
  readonly to: string;
}

export const move: CommandSpec = {
  name: 'move',
  summary: 'Move tasks, schedules, settings and history into another, empty store',
  isLocal: true,
  options: [
    { flags: '--from <url>', description: 'Store to move; the configured one without it' },
    {
      flags: '--to <url>',
      description: 'Store to move into: a new file, database or namespace; from Redis its record',
    },
    { flags: '--dry-run', description: 'Say what would be moved, and change nothing' },
    { flags: '--force', description: 'Move although servers or workers use the source' },
  ],
  example: 'taskflow db move --from sqlite:./.taskflow/taskflow.db --to postgres://localhost/app --dry-run',
  async run(call) {
    const { folder, settings } = await call.config();
    const [from, to] = [call.text('from') ?? settings.broker, call.text('to')];
    if (to === undefined) throw invalidOption('--to', 'the URL of the store to move into is needed');
    // The record of a live store is there, like a source: opening what is missing would make it.
    for (const file of [from, ...(isRedis(from) ? [to] : [])].map((url) => fileIn(url, folder)))
      if (file !== null && !existsSync(file))
        throw taskFlowError('STORE_UNREACHABLE', { problem: `there is no file ${file}` });
    const report = await between(call, { from, to });
    tell(call, { from: maskUrl(from), to: maskUrl(to), ...report });
    return 0;
  },
};

/** The file of an SQLite store, `null` for another. */
function fileIn(url: string, folder: string): string | null {
  const [, file] = /^sqlite:(?:\/\/)?([^:?][^?]*)/.exec(url) ?? [];
  return file === undefined ? null : resolve(folder, file);
}

async function between(call: Call, urls: { readonly from: string; readonly to: string }): Promise<MoveReport> {
  const { folder, settings } = await call.config();
  if (isLiveMove(urls)) return await moveLive(call, urls, progressOf(call));
  const { connectDriver } = await import('../broker/connect.ts');
  const options = { folder, namespace: settings.namespace };
  const [from, to] = [connectDriver(urls.from, options), connectDriver(urls.to, options)];
  // A question makes no file.
  const target = call.has('dry-run') ? fileIn(urls.to, folder) : null;
  const isMissing = target !== null && !existsSync(target);
  try {
    await from.open();
    if (!isMissing) await to.open();
    const force = call.has('force');
    if (call.has('dry-run')) return await planMove({ from, to: isMissing ? null : to, force });
    return await moveStore({ from, to, chance: systemChance, force, onProgress: progressOf(call) });
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/** A line that moves, where a person looks. */
function progressOf({ stderr, output }: Call): NonNullable<MoveOptions['onProgress']> {
  const rows = new Map<string, number>();
  return (step, table, count) => {
    if (!output.notes.isPerson) return;
    const key = `${step} ${table}`;
    rows.set(key, (rows.get(key) ?? 0) + count);
    stderr.write(`\r\u001b[K${key} ${rows.get(key)}\r`);
  };
}

function tell({ output }: Call, document: MoveDocument): void {
  const { terminal } = output;
  output.record({ id: ({ status }) => status }, document, () => {
    const rows = Object.entries(document.rows).filter(([, count]) => count > 0);
    if (!terminal.isPerson) return [`status\t${document.status}`, ...rows.map((row) => row.join('\t'))];
    const words = { planned: 'Would move', moved: 'Moved', already: 'Was moved before:' }[document.status];
    return [
      `${paint(terminal, mark(terminal, 'ok'), 'ok')} ${words} ${document.from} to ${document.to}`,
      ...rows.map(([table, count]) => `  ${paint(terminal, table.padEnd(10), 'muted')} ${count.toLocaleString('en')}`),
      ...(document.checksum === null ? [] : [`  both sides read and compared, checksum ${document.checksum}`]),
    ];
  });
  if (document.status === 'planned') output.note('The same command without --dry-run moves it.');
  if (document.paused.length > 0 && !isRedis(document.to))
    output.note(`The source stays, with its queues paused: ${document.paused.join(', ')}.`, 'warning');
  if (document.status !== 'planned') output.note(nextOf(document));
}

/** What to start with from now on. */
function nextOf({ from, to }: MoveDocument): string {
  if (isRedis(to)) return `The source is the record now. Start servers and workers with --broker ${to} --store ${from}`;
  return `Start servers and workers with --broker ${to}${isRedis(from) ? ', and no --store' : ''}`;
}
