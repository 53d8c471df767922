/** From what was asked for to a ground: a store of its own that is thrown away, or one in a server that was given. */

import { maskUrl } from '../config/mask.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Ground } from './ground.ts';
import { type GroundKind, grounds } from './plan.ts';

/** Which store to torture. */
export interface GroundChoice {
  readonly kind: GroundKind;
  /** Of a server that is there already, and that others may use. */
  readonly url: string | null;
}

const schemes: Readonly<Record<string, GroundKind>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  redis: 'redis',
  rediss: 'redis',
  valkey: 'redis',
};

/** Reads `sqlite`, `postgres`, `redis`, or the URL of a server. Throws USAGE for anything else. */
export function readGround(text: string): GroundChoice {
  const kind = grounds.find((one) => one === text);
  if (kind !== undefined) return { kind, url: null };
  const served = schemes[/^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase() ?? ''];
  if (served !== undefined) return { kind: served, url: text };
  throw taskFlowError(
    'USAGE',
    { problem: `--broker ${maskUrl(text)} is no store that can be tortured.` },
    { hint: `--broker ${grounds.join(' | --broker ')}, or the URL of a Postgres or Redis` },
  );
}

/** Opens it, and starts its server when none was given. */
export async function openGround({ kind, url }: GroundChoice, folder: string): Promise<Ground> {
  switch (kind) {
    case 'sqlite':
      return (await import('./sqlite-ground.ts')).openSqliteGround(folder);
    case 'postgres':
      return (await import('./postgres-ground.ts')).openPostgresGround(url);
    case 'redis':
      if (url !== null) throw taskFlowError('NOT_SUPPORTED', { what: 'A torture of a Redis that is there already' });
      return (await import('./redis-ground.ts')).openRedisGround(folder);
  }
}
