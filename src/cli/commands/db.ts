/** `taskflow db migrate|status|move` */

import { existsSync } from 'node:fs';
import type { BrokerInfo } from '../../broker/broker.ts';
import type { SqlDriver } from '../../broker/sql/driver.ts';
import type { MigrationStatus } from '../../broker/sql/migrate.ts';
import type { Config } from '../../config/load.ts';
import { maskUrl } from '../../config/mask.ts';
import { systemChance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { isoTime } from '../../core/time.ts';
import type { Call, CommandSpec } from '../command.ts';
import { move } from '../db-move.ts';
import type { RecordStatus } from '../record-status.ts';
import { fileOfUrl } from '../session.ts';
import { mark, paint } from '../terminal.ts';

const migrate: CommandSpec = {
  name: 'migrate',
  summary: 'Bring the database to the schema this program needs',
  isLocal: true,
  example: 'taskflow db migrate',
  async run(call) {
    const config = await call.config();
    const { migrate: applyAll } = await import('../../broker/sql/migrate.ts');
    const driver = await openDriver(config);
    try {
      const applied = await applyAll(driver, systemChance);
      const { terminal } = call.output;
      call.output.record({ id: () => applied.join(',') }, { applied }, () =>
        terminal.isPerson
          ? [
              `${paint(terminal, mark(terminal, 'ok'), 'ok')} ${applied.length === 0 ? 'The database is up to date' : `Applied ${applied.join(', ')}`}`,
            ]
          : applied.map((name) => `applied\t${name}`),
      );
      return 0;
    } finally {
      await driver.close();
    }
  },
};

/** What the database has, as a document. */
interface StatusDocument {
  /** The URL of the database: of the broker, or of the record beside it. */
  readonly broker: string;
  /** `current`, `behind` (migrate it) or `ahead` (update this program). */
  readonly status: 'current' | 'behind' | 'ahead';
  /** What it keeps when the database dies, and the settings that say so. */
  readonly durability: BrokerInfo['durability'];
  readonly detail: string;
  readonly applied: readonly { readonly name: string; readonly at: string }[];
  readonly pending: readonly string[];
  readonly unknown: readonly string[];
  /** Of a record beside a live store: when that lost what it had, and the tasks that the database refused; the newest first. */
  readonly gaps: readonly { readonly from: string | null; readonly to: string; readonly restored: number }[];
  readonly unrecorded: readonly { readonly id: string; readonly at: string; readonly problem: string }[];
  /** What it has of the settings and schedules of its live store; the first by kind and name. */
  readonly settings: readonly { readonly kind: string; readonly name: string }[];
  /** How it stands to its live store; `null` where it is one itself. */
  readonly record: RecordStatus | null;
}

const status: CommandSpec = {
  name: 'status',
  summary: 'Compare the schema of the database with the one this program needs (exit code 9 when they differ)',
  isLocal: true,
  example: 'taskflow db status --json',
  async run(call) {
    const document = await readStatus(call);
    const { output } = call;
    output.record({ id: (row) => row.status }, document, () => statusLines(call, document));
    if (document.status === 'behind') output.note('taskflow db migrate');
    if (document.status === 'ahead') output.note('Update taskflowjs on this machine.');
    return document.status === 'current' ? 0 : 9;
  },
};

export const commands = [migrate, status, move];

async function readStatus(call: Call): Promise<StatusDocument> {
  const config = await call.config();
  const url = await databaseUrl(config);
  const file = fileOfUrl(url);
  // Opening makes the file; a question must not.
  if (file !== null && !existsSync(file)) {
    throw taskFlowError(
      'STORE_UNREACHABLE',
      { problem: `there is no file ${file}` },
      { hint: 'taskflow db migrate   makes it' },
    );
  }
  const { migrationStatus } = await import('../../broker/sql/migrate.ts');
  const driver = await openDriver(config);
  try {
    const document = statusDocument(maskUrl(url), driver, await migrationStatus(driver));
    if (document.status !== 'current') return document;
    const { isRedis } = await import('../../broker/store-url.ts');
    const { recordStatus } = await import('../record-status.ts');
    const record = isRedis(config.settings.broker) ? await recordStatus(config, driver) : null;
    return { ...document, ...(await recordOf(driver)), record };
  } finally {
    await driver.close();
  }
}

/** The broker where it is a database, else the record beside it. Throws RECORD_MISSING. */
async function databaseUrl({ settings: { broker, store } }: Config): Promise<string> {
  const { isRedis } = await import('../../broker/store-url.ts');
  if (!isRedis(broker)) return broker;
  if (store === null) throw taskFlowError('RECORD_MISSING', { what: 'A schema' });
  return store;
}

/** The database alone, as it is: opening the store would migrate it. */
async function openDriver(config: Config) {
  const { connectDriver } = await import('../../broker/connect.ts');
  const { folder, settings } = config;
  const driver = connectDriver(await databaseUrl(config), { folder, namespace: settings.namespace });
  await driver.open();
  return driver;
}

/** Rows of each sort. */
const rowsMax = 20;

async function recordOf(driver: SqlDriver): Promise<Pick<StatusDocument, 'gaps' | 'unrecorded' | 'settings'>> {
  const { createSqlRecording } = await import('../../history/recording/sql-recording.ts');
  const recording = createSqlRecording(driver);
  const [gaps, unrecorded, settings] = await Promise.all([
    recording.gaps(rowsMax),
    recording.unrecorded(rowsMax),
    recording.settings(null, rowsMax),
  ]);
  const time = (at: number | null): string | null => (at === null ? null : isoTime(at));
  return {
    gaps: gaps.map(({ from, to, restored }) => ({ from: time(from), to: isoTime(to), restored })),
    unrecorded: unrecorded.map(({ taskId, at, problem }) => ({ id: taskId, at: isoTime(at), problem })),
    settings: settings.map(({ kind, name }) => ({ kind, name })),
  };
}

function statusDocument(
  broker: string,
  driver: SqlDriver,
  { applied, pending, unknown }: MigrationStatus,
): StatusDocument {
  return {
    broker,
    status: unknown.length > 0 ? 'ahead' : pending.length > 0 ? 'behind' : 'current',
    ...driver.durability(),
    applied: applied.map(({ name, at }) => ({ name, at: isoTime(at) })),
    pending,
    unknown,
    gaps: [],
    unrecorded: [],
    settings: [],
    record: null,
  };
}

function statusLines({ output: { terminal } }: Call, document: StatusDocument): string[] {
  const lines = [
    ['keeps', `${document.durability}: ${document.detail}`, ''] as const,
    ...document.applied.map(({ name, at }) => ['applied', name, at] as const),
    ...document.pending.map((name) => ['pending', name, ''] as const),
    ...document.unknown.map((name) => ['unknown', name, ''] as const),
    ...document.gaps.map(({ to, restored }) => ['gap', `${restored} brought back`, to] as const),
    ...document.unrecorded.map(({ id, problem, at }) => ['unrecorded', `${id} ${problem}`, at] as const),
    ...document.settings.map(({ kind, name }) => ['recorded', `${kind} ${name}`, ''] as const),
    ...standing(document.record),
  ];
  if (!terminal.isPerson) return lines.map((line) => line.join('\t'));
  const styles = {
    keeps: 'muted',
    applied: 'ok',
    pending: 'warning',
    unknown: 'error',
    gap: 'warning',
    unrecorded: 'error',
    recorded: 'muted',
    lag: 'muted',
    relay: 'muted',
  } as const;
  return [
    `${document.broker} is ${document.status}`,
    ...lines.map(([state, name, at]) =>
      `  ${paint(terminal, state, styles[state])}  ${name}  ${paint(terminal, at, 'muted')}`.trimEnd(),
    ),
  ];
}

function standing(
  record: RecordStatus | null,
): readonly (readonly [kind: 'lag' | 'relay', text: string, at: string])[] {
  if (record === null) return [];
  const { lagMs, problem, relay } = record;
  return [
    ['lag', lagMs === null ? `unknown: ${problem}` : `${lagMs} ms`, ''],
    ['relay', `${relay.waiting} waiting, ${relay.setAside} set aside`, ''],
  ];
}
