/** What the server keeps when its process or its machine dies, read from its own settings. */

import { taskFlowError } from '../../core/errors.ts';
import type { Durability } from '../durability.ts';

/** What is asked by CONFIG GET. */
export const settingNames = [
  'appendonly',
  'appendfsync',
  'no-appendfsync-on-rewrite',
  'save',
  'maxmemory-policy',
] as const;

/** What a server says about itself: its settings, where they may be read, and the lines of INFO, where these may. */
export interface ServerFacts {
  readonly settings: ReadonlyMap<string, string>;
  readonly info: ReadonlyMap<string, string>;
  /** Whether it was found by asking sentinels, which may appoint another one that is some writes behind. */
  readonly mayFailOver: boolean;
}

/** Throws STORE_EVICTS for a server that would drop tasks when its memory is full. */
export function durabilityOf({ settings, info, mayFailOver }: ServerFacts): Durability {
  const policy = settings.get('maxmemory-policy') ?? info.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') throw taskFlowError('STORE_EVICTS', { policy });
  const replicas = Number(info.get('connected_slaves') ?? 0);
  const details = [
    ...wordsOnFile(settings, info),
    ...(replicas > 0 ? [`${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`] : []),
    ...(mayFailOver ? ['a failover may lose the last writes'] : []),
  ];
  const durability = kept(settings, info);
  return {
    durability: durability === 'strict' && mayFailOver ? 'standard' : durability,
    detail: details.join(', '),
  };
}

/** Whether there is an append-only file; `undefined` when nobody says. INFO does not tell how it is synced. */
function appends(settings: ServerFacts['settings'], info: ServerFacts['info']): boolean | undefined {
  const append = settings.get('appendonly');
  if (append !== undefined) return append === 'yes';
  const enabled = info.get('aof_enabled');
  return enabled === undefined ? undefined : enabled === '1';
}

function kept(settings: ServerFacts['settings'], info: ServerFacts['info']): Durability['durability'] {
  const isAppending = appends(settings, info);
  const sync = settings.get('appendfsync');
  if (isAppending === false) return 'volatile';
  if (isAppending === undefined || sync === undefined) return 'unverified';
  // While the file is rewritten it may not be synced at all.
  const isAlways = sync === 'always' && settings.get('no-appendfsync-on-rewrite') !== 'yes';
  if (isAlways) return 'strict';
  return sync === 'no' ? 'volatile' : 'standard';
}

function wordsOnFile(settings: ServerFacts['settings'], info: ServerFacts['info']): readonly string[] {
  const isAppending = appends(settings, info);
  const save = settings.get('save') ?? '';
  if (isAppending === undefined) return ['settings that may not be read'];
  if (!isAppending) return ['no append-only file', ...(save === '' ? [] : [`snapshots (save ${save})`])];
  const sync = settings.get('appendfsync');
  if (sync === undefined) return ['append-only file, appendfsync may not be read'];
  const rewrite = settings.get('no-appendfsync-on-rewrite') === 'yes' ? ['not synced during a rewrite'] : [];
  return [`append-only file, appendfsync ${sync}`, ...rewrite];
}

/** The setting to change, and what to write where less will do. */
export function hintFor(durability: Durability['durability']): string {
  switch (durability) {
    case 'standard':
      return 'redis-cli config set appendfsync always, and the same in redis.conf (a failover loses writes even so); or ask for less: ?durability=standard';
    case 'unverified':
      return 'Let its user read the settings (ACL: +config|get), or take it as it is: ?durability=any';
    default:
      return 'redis-cli config set appendonly yes, and appendfsync everysec or always, and the same in redis.conf; or take it as it is: ?durability=any';
  }
}
