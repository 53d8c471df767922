/** The keys of a store: made, listed, revoked, and verified at each request. */

import { type SqlDriver, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import {
  type AccessKey,
  type CreatedKey,
  type KeyKind,
  type Keys,
  type NewKey,
  type Role,
  roles,
  type Scope,
  scopes,
} from '../core/access.ts';
import type { Chance } from '../core/chance.ts';
import { isUnreachable, taskFlowError } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { createKnown } from './known.ts';
import { createRoster } from './roster.ts';
import { createSecret, hashOf, isSameHash, noHash, parseToken, tokenOf } from './token.ts';

/** A key with the hash of its secret. */
export interface StoredKey {
  readonly key: AccessKey;
  readonly hash: string;
}

type KeyRow = [
  id: string,
  kind: string,
  label: string,
  hash: string,
  role: string,
  scopes: string | null,
  queues: string | null,
  createdAt: number,
  createdBy: string,
  expiresAt: number | null,
  lastUsedAt: number | null,
  revokedAt: number | null,
  rateCount: number | null,
  rateMs: number | null,
];

const columns =
  'id, kind, label, hash, role, scopes, queues, created_at, created_by, expires_at, last_used_at, revoked_at, rate_count, rate_ms';

const insertKey = statement(
  'access_insert_key',
  () => `INSERT INTO access_keys (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, $11, $12)`,
);

/** Input: how far is counted. */
const countKeys = statement<[keys: number]>(
  'access_count_keys',
  () => 'SELECT count(*) FROM (SELECT id FROM access_keys LIMIT $1) AS found',
);

/** Input: id. */
export const readKey = statement<KeyRow>('access_key', () => `SELECT ${columns} FROM access_keys WHERE id = $1`);

/** Inputs: the id before the first, limit. */
const listKeys = statement<KeyRow>(
  'access_list_keys',
  () => `SELECT ${columns} FROM access_keys WHERE id < $1 ORDER BY id DESC LIMIT $2`,
);

/** Inputs: time, limit. */
const usableIds = statement<[id: string]>(
  'access_usable_keys',
  () => 'SELECT id FROM access_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) LIMIT $2',
);

/** Inputs: id, time. */
const revokeKey = statement(
  'access_revoke_key',
  () => 'UPDATE access_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL',
);

/** Inputs: id, time, as long ago as it must be. */
const touchKey = statement(
  'access_touch_key',
  () => 'UPDATE access_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)',
);

/** Behind every id. */
const lastId = '~';

export function createKeys(driver: SqlDriver, clock: Clock, chance: Chance): Keys {
  let now = 0;
  const ids = createIds({ now: () => now }, chance);
  const touchedAt = new Map<string, number>();
  const known = createKnown<StoredKey>(clock, async (id) => {
    const [row] = await driver.readOne(readKey, id);
    return row === undefined ? null : { row: storedKey(row), now: await driver.wallMs() };
  });

  const roster = createRoster(clock, async () => {
    const rows = await driver.readOne(usableIds, await driver.wallMs(), limits.keysMax);
    return rows.map(([id]) => id);
  });

  const insert = async (tx: SqlTransaction, given: NewKey): Promise<CreatedKey> => {
    now = await tx.wallMs();
    const id = ids.next();
    const secret = createSecret(chance);
    const { kind, label, role, createdBy, expiresInMs, rate = null } = given;
    const expiresAt = expiresInMs === null ? null : now + expiresInMs;
    const lists = [given.scopes, given.queues].map((list) => (list === null ? null : JSON.stringify(list)));
    const times = [now, createdBy, expiresAt, rate?.count ?? null, rate?.perMs ?? null];
    await tx.change(insertKey, id, kind, label, hashOf(secret), role, ...lists, ...times);
    const key: AccessKey = {
      id,
      kind,
      label,
      rate,
      role,
      scopes: given.scopes,
      queues: given.queues,
      createdAt: now,
      createdBy,
      expiresAt,
      lastUsedAt: null,
      revokedAt: null,
    };
    return { key, token: tokenOf({ kind, id, secret }) };
  };

  const touch = async ({ id }: AccessKey, at: number): Promise<void> => {
    const last = touchedAt.get(id) ?? Number.NEGATIVE_INFINITY;
    if (clock.elapsed() - last < limits.accessTouchMs) return;
    if (touchedAt.size >= limits.accessKnownMax) touchedAt.clear();
    touchedAt.set(id, clock.elapsed());
    try {
      await driver.writeOne(touchKey, id, Math.floor(at), Math.floor(at) - limits.accessTouchMs);
    } catch (error) {
      // A store that goes away between two statements: the next minute notes the use.
      if (!isUnreachable(error)) throw error;
    }
  };

  return {
    create: (key) =>
      driver.transaction(async (tx) => {
        const [[count] = [0]] = await tx.query(countKeys, limits.keysMax);
        if (count >= limits.keysMax) throw taskFlowError('TOO_MANY_KEYS', { max: limits.keysMax });
        return insert(tx, key);
      }),
    createFirst: (key) =>
      driver.transaction(async (tx) => {
        await tx.hold('settings', ['access keys'], 'alone');
        const [[count] = [0]] = await tx.query(countKeys, 1);
        return count > 0 ? null : insert(tx, key);
      }),
    get: async (id) => {
      const [row] = await driver.readOne(readKey, id);
      return row === undefined ? null : storedKey(row).key;
    },
    list: async (after, limit) =>
      (await driver.readOne(listKeys, after ?? lastId, limit)).map((row) => storedKey(row).key),
    revoke: async (id) => {
      const rows = await driver.transaction(async (tx) => {
        await tx.change(revokeKey, id, await tx.wallMs());
        return tx.query(readKey, id);
      });
      known.forget(id);
      return rows[0] === undefined ? null : storedKey(rows[0]).key;
    },
    verify: async (token) => {
      const parts = parseToken(token);
      if (parts === null) return null;
      const found = await known.get(parts.id);
      const isRight = isSameHash(hashOf(parts.secret), found?.row.hash ?? noHash);
      if (!isRight || found === null || found.row.key.kind !== parts.kind) return null;
      if (!isUsable(found.row.key, found.now)) return null;
      await touch(found.row.key, found.now);
      return found.row.key;
    },
    mayExist: async (token) => {
      const parts = parseToken(token);
      return parts !== null && (await roster.has(parts.id));
    },
    isValid: async (id) => {
      const found = await known.get(id);
      return found !== null && isUsable(found.row.key, found.now);
    },
  };
}

export function isUsable({ revokedAt, expiresAt }: AccessKey, now: number): boolean {
  return revokedAt === null && (expiresAt === null || now < expiresAt);
}

/** A row that somebody else has written is no grant: what it says wrongly counts as the least. */
export function storedKey(row: KeyRow): StoredKey {
  const [id, kind, label, hash, role, given, queues, createdAt, createdBy, expiresAt, lastUsedAt, ...others] = row;
  const [revokedAt, rateCount, rateMs] = others;
  const key: AccessKey = {
    id,
    kind: kind as KeyKind,
    label,
    rate: rateCount !== null && rateMs !== null ? { count: rateCount, perMs: rateMs } : null,
    role: roles.find((one): one is Role => one === role) ?? 'viewer',
    scopes: given === null ? null : listOf(given).filter((one): one is Scope => scopes.some((scope) => scope === one)),
    queues: queues === null ? null : listOf(queues),
    createdAt,
    createdBy,
    expiresAt,
    lastUsedAt,
    revokedAt,
  };
  return { key, hash };
}

function listOf(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
