/** From what was asked for to a ground: a store of its own that is thrown away, or one in a server that was given. */

import { maskUrl } from '../config/mask.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Ground } from './ground.ts';
import { type GroundKind, grounds, type Plan, type RecordKind, records } from './plan.ts';

/** Which store to torture. */
export interface GroundChoice {
  readonly kind: GroundKind;
  /** Of a server that is there already, and that others may use. */
  readonly url: string | null;
  /** Where it is recorded when it is no database. */
  readonly record: RecordKind | null;
}

const schemes: Readonly<Record<string, GroundKind>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  redis: 'redis',
  rediss: 'redis',
  valkey: 'redis',
};

/**
 * Reads `sqlite`, `postgres`, `redis`, or the URL of a Postgres; and the database in which a Redis is recorded, SQLite when none is given.
 * Throws USAGE for anything else.
 */
export function readGround(broker: string, store: string | undefined): GroundChoice {
  const kind = grounds.find((one) => one === broker);
  const record = readRecord(kind ?? null, store);
  if (kind !== undefined) return { kind, url: null, record };
  const served = schemes[/^([a-z]+):\/\//i.exec(broker)?.[1]?.toLowerCase() ?? ''];
  if (served === 'postgres') return { kind: served, url: broker, record };
  if (served !== undefined)
    throw taskFlowError('NOT_SUPPORTED', { what: 'A torture of a Redis that is there already' });
  throw taskFlowError(
    'USAGE',
    { problem: `--broker ${maskUrl(broker)} is no store that can be tortured.` },
    { hint: `--broker ${grounds.join(' | --broker ')}, or the URL of a Postgres` },
  );
}

function readRecord(kind: GroundKind | null, store: string | undefined): RecordKind | null {
  if (kind !== 'redis') {
    if (store === undefined) return null;
    throw taskFlowError('USAGE', { problem: '--store is for --broker redis: others keep their record themselves.' });
  }
  const record = records.find((one) => one === (store ?? 'sqlite'));
  if (record !== undefined) return record;
  throw taskFlowError(
    'USAGE',
    { problem: `--store ${maskUrl(store ?? '')} is no database that can be tortured.` },
    { hint: `--store ${records.join(' | --store ')}` },
  );
}

/** Opens what was planned, and starts its servers when no `url` was given. */
export async function openGround({ ground, record, sync }: Plan, url: string | null, folder: string): Promise<Ground> {
  switch (ground) {
    case 'sqlite':
      return (await import('./sqlite-ground.ts')).openSqliteGround(folder);
    case 'postgres':
      return (await import('./postgres-ground.ts')).openPostgresGround(url);
    case 'redis':
      return (await import('./redis-ground.ts')).openRedisGround({ folder, record: record ?? 'sqlite', sync });
  }
}
