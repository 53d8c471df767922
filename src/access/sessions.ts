/** Who is signed in at a browser, and the links that sign in once. Secrets are in cookies and links; here are their hashes. */

import { type SqlDriver, statement } from '../broker/sql/driver.ts';
import type { AccessSession, Sessions } from '../core/access.ts';
import type { Chance } from '../core/chance.ts';
import { isUnreachable } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { isUsable, readKey, type StoredKey, storedKey } from './keys.ts';
import { createKnown } from './known.ts';
import { createRoster } from './roster.ts';
import { createSecret, hashOf } from './token.ts';

type SessionRow = [
  id: string,
  keyId: string,
  label: string,
  address: string | null,
  agent: string | null,
  createdAt: number,
  seenAt: number,
  expiresAt: number,
];

const columns =
  'access_sessions.id, key_id, label, address, agent, access_sessions.created_at, seen_at, access_sessions.expires_at';
const from = 'FROM access_sessions JOIN access_keys ON access_keys.id = key_id';

const insertSession = statement(
  'access_insert_session',
  () =>
    'INSERT INTO access_sessions (id, hash, key_id, address, agent, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)',
);

/** Input: hash. */
const sessionByHash = statement<SessionRow>(
  'access_session_by_hash',
  () => `SELECT ${columns} ${from} WHERE access_sessions.hash = $1`,
);

/** Input: id. */
const sessionById = statement<SessionRow>(
  'access_session',
  () => `SELECT ${columns} ${from} WHERE access_sessions.id = $1`,
);

/** Input: id. */
const hashById = statement<[hash: string]>(
  'access_session_hash',
  () => 'SELECT hash FROM access_sessions WHERE id = $1',
);

/** Inputs: the id before the first, limit. */
const listSessions = statement<SessionRow>(
  'access_list_sessions',
  () => `SELECT ${columns} ${from} WHERE access_sessions.id < $1 ORDER BY access_sessions.id DESC LIMIT $2`,
);

/** Inputs: id, time. */
const touchSession = statement(
  'access_touch_session',
  () => 'UPDATE access_sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2',
);

/** Input: limit. */
const allHashes = statement<[hash: string]>('access_session_hashes', () => 'SELECT hash FROM access_sessions LIMIT $1');

/** Input: id. */
const deleteSession = statement<[hash: string]>(
  'access_end_session',
  () => 'DELETE FROM access_sessions WHERE id = $1 RETURNING hash',
);

/** Inputs: time, time of the idle. */
const deleteEnded = statement(
  'access_forget_sessions',
  () => 'DELETE FROM access_sessions WHERE expires_at <= $1 OR seen_at <= $2',
);

/** Input: how many stay. */
const deleteSurplus = statement(
  'access_surplus_sessions',
  () =>
    'DELETE FROM access_sessions WHERE id IN (SELECT id FROM access_sessions ORDER BY seen_at DESC, id DESC LIMIT 1000000 OFFSET $1)',
);

const insertLink = statement(
  'access_insert_link',
  () => 'INSERT INTO access_links (hash, key_id, expires_at) VALUES ($1, $2, $3)',
);

/** Input: hash. */
const takeLink = statement<[keyId: string, expiresAt: number]>(
  'access_take_link',
  () => 'DELETE FROM access_links WHERE hash = $1 RETURNING key_id, expires_at',
);

/** Input: time. */
const deleteLinks = statement('access_forget_links', () => 'DELETE FROM access_links WHERE expires_at <= $1');

interface Found {
  readonly session: AccessSession;
  readonly stored: StoredKey;
}

/** Characters of what a browser says of itself. */
const agentMax = 200;

export function createSessions(driver: SqlDriver, clock: Clock, chance: Chance): Sessions {
  let now = 0;
  const ids = createIds({ now: () => now }, chance);
  const touchedAt = new Map<string, number>();
  const known = createKnown<Found>(clock, async (hash) => {
    const [row] = await driver.readOne(sessionByHash, hash);
    if (row === undefined) return null;
    const session = sessionOf(row);
    const [key] = await driver.readOne(readKey, session.keyId);
    return key === undefined ? null : { row: { session, stored: storedKey(key) }, now: await driver.wallMs() };
  });

  const roster = createRoster(clock, async () => {
    const rows = await driver.readOne(allHashes, limits.sessionsMax);
    return rows.map(([hash]) => hash);
  });

  const touch = async ({ id }: AccessSession, at: number): Promise<void> => {
    const last = touchedAt.get(id) ?? Number.NEGATIVE_INFINITY;
    if (clock.elapsed() - last < limits.accessTouchMs) return;
    if (touchedAt.size >= limits.accessKnownMax) touchedAt.clear();
    touchedAt.set(id, clock.elapsed());
    try {
      await driver.writeOne(touchSession, id, Math.floor(at));
    } catch (error) {
      // A store that goes away between two statements: the next minute notes it.
      if (!isUnreachable(error)) throw error;
    }
  };

  const usable = async (hash: string) => {
    const found = await known.get(hash);
    if (found === null) return null;
    const { session, stored } = found.row;
    const isOver = found.now >= session.expiresAt || found.now - session.seenAt >= limits.sessionIdleMs;
    return isOver || !isUsable(stored.key, found.now) ? null : { session, key: stored.key, now: found.now };
  };

  return {
    begin: async ({ keyId, address, agent }) => {
      const secret = createSecret(chance);
      const row = await driver.transaction(async (tx) => {
        now = await tx.wallMs();
        await tx.change(deleteEnded, now, now - limits.sessionIdleMs);
        await tx.change(deleteSurplus, limits.sessionsMax - 1);
        const expiresAt = now + limits.sessionMs;
        await tx.change(
          insertSession,
          ids.next(),
          hashOf(secret),
          keyId,
          address,
          agent?.slice(0, agentMax) ?? null,
          now,
          expiresAt,
        );
        return (await tx.query(sessionByHash, hashOf(secret)))[0];
      });
      if (row === undefined) throw new Error('A session is for a key that is there.');
      return { session: sessionOf(row), secret };
    },
    find: async (secret) => {
      const found = await usable(hashOf(secret));
      if (found === null) return null;
      await touch(found.session, found.now);
      return { session: found.session, key: found.key };
    },
    mayExist: (secret) => roster.has(hashOf(secret)),
    isValid: async (id) => {
      const [row] = await driver.readOne(hashById, id);
      return row !== undefined && (await usable(row[0])) !== null;
    },
    get: async (id) => {
      const [row] = await driver.readOne(sessionById, id);
      return row === undefined ? null : sessionOf(row);
    },
    list: async (after, limit) => (await driver.readOne(listSessions, after ?? '~', limit)).map(sessionOf),
    end: async (id) => {
      const [row] = await driver.writeOne(deleteSession, id);
      if (row !== undefined) known.forget(row[0]);
      return row !== undefined;
    },
    createLink: async (keyId) => {
      const secret = createSecret(chance);
      await driver.transaction(async (tx) => {
        const at = await tx.wallMs();
        await tx.change(deleteLinks, at);
        await tx.change(insertLink, hashOf(secret), keyId, at + limits.loginLinkMs);
      });
      return secret;
    },
    useLink: (secret) =>
      driver.transaction(async (tx) => {
        const [link] = await tx.query(takeLink, hashOf(secret));
        const at = await tx.wallMs();
        if (link === undefined || at >= link[1]) return null;
        const [row] = await tx.query(readKey, link[0]);
        const key = row === undefined ? null : storedKey(row).key;
        return key !== null && isUsable(key, at) ? key : null;
      }),
  };
}

function sessionOf([id, keyId, label, address, agent, createdAt, seenAt, expiresAt]: SessionRow): AccessSession {
  return { id, keyId, label, address, agent, createdAt, seenAt, expiresAt };
}
