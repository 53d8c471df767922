/** Who may do what: roles and scopes, and keys, sessions and audit as the rest sees them. */

import type { Rate } from './limit-rules.ts';

/** From least to most: who may look, who may act, who may change what cannot be undone. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** What a key of a program may be for. Each operation needs one of them; `admin` is all of them together. */
export const scopes = ['read', 'enqueue', 'operate', 'schedule', 'work', 'reveal', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What somebody may do: by a role as people have it, or by scopes as programs have them. */
export interface Grant {
  readonly role: Role;
  /** `null` is everything that the role may. */
  readonly scopes: readonly Scope[] | null;
  /** Patterns of the queues it reaches, such as `email.*`; `null` is all of them. */
  readonly queues: readonly string[] | null;
}

/** `user` is for people, `api` for programs, `worker` for workers over HTTP: told by the first letters of a key. */
export const keyKinds = ['user', 'api', 'worker'] as const;
export type KeyKind = (typeof keyKinds)[number];

/** A key without its secret, which is nowhere. */
export interface AccessKey extends Grant {
  readonly id: string;
  readonly kind: KeyKind;
  readonly label: string;
  /** Requests that it may make in a time, on each server; `null` is what that lets every key make. */
  readonly rate: Rate | null;
  readonly createdAt: number;
  readonly createdBy: string;
  /** `null` is never. */
  readonly expiresAt: number | null;
  /** Within a minute; `null` is not yet. */
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

export interface NewKey extends Grant {
  readonly kind: KeyKind;
  readonly label: string;
  readonly createdBy: string;
  readonly expiresInMs: number | null;
  readonly rate?: Rate | null;
}

/** The only time that `token` is told. */
export interface CreatedKey {
  readonly key: AccessKey;
  readonly token: string;
}

export interface Keys {
  create(key: NewKey): Promise<CreatedKey>;
  /** The same in a store that has none, not even a revoked one; `null` in any other. Of several who ask at once one gets it. */
  createFirst(key: NewKey): Promise<CreatedKey | null>;
  /** Whether or not it may be used; `null` when there is none. */
  get(id: string): Promise<AccessKey | null>;
  /** Newest first, from below the id `after`. */
  list(after: string | null, limit: number): Promise<readonly AccessKey[]>;
  /** `null` when there is no such key; one that is revoked stays so. */
  revoke(id: string): Promise<AccessKey | null>;
  /** The key of a token, while it may be used. Never older than `limits.accessFreshMs`; while the store is away up to `limits.accessStaleMs`. */
  verify(token: string): Promise<AccessKey | null>;
  /** Whether there is a key of that name, with whatever secret: of keys made a second ago that may be told too late. Costs a query a second at most. */
  mayExist(token: string): Promise<boolean>;
  /** Whether a key may still be used: as `verify` answers it, for who holds a connection open. */
  isValid(id: string): Promise<boolean>;
}

/** Somebody signed in at a browser. Ends with its key. */
export interface AccessSession {
  /** Names it in lists: the secret is in the cookie alone. */
  readonly id: string;
  readonly keyId: string;
  readonly label: string;
  readonly address: string | null;
  readonly agent: string | null;
  readonly createdAt: number;
  /** Within a minute. */
  readonly seenAt: number;
  readonly expiresAt: number;
}

export interface NewSession {
  readonly keyId: string;
  readonly address: string | null;
  readonly agent: string | null;
}

export interface Sessions {
  /** `secret` is for the cookie. */
  begin(session: NewSession): Promise<{ readonly session: AccessSession; readonly secret: string }>;
  /** The session of a secret with its key, while both may be used. As fresh as `Keys.verify`. */
  find(secret: string): Promise<{ readonly session: AccessSession; readonly key: AccessKey } | null>;
  /** Whether there is one: of one that began a second ago that may be told too late. Costs a query a second at most. */
  mayExist(secret: string): Promise<boolean>;
  isValid(id: string): Promise<boolean>;
  get(id: string): Promise<AccessSession | null>;
  list(after: string | null, limit: number): Promise<readonly AccessSession[]>;
  /** Answers whether there was one. */
  end(id: string): Promise<boolean>;
  /** A link's secret that begins one session for the key within `limits.loginLinkMs`. */
  createLink(keyId: string): Promise<string>;
  /** The key of a link, once. */
  useLink(secret: string): Promise<AccessKey | null>;
}

/** Slows down who guesses: of an account and of an address, in all servers together. Nobody is locked out for good. */
export interface Throttle {
  /** How long to wait before the next try; 0 when it may be made now. */
  waitMs(names: readonly string[]): Promise<number>;
  failed(names: readonly string[]): Promise<void>;
  succeeded(names: readonly string[]): Promise<void>;
}

/** What somebody is about to do. */
export interface AuditBegin {
  readonly actor: string;
  readonly keyId: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly operation: string;
  /** In words: `paused queue email`. */
  readonly text: string;
  readonly input: unknown;
  readonly before: unknown;
}

export interface AuditEnd {
  /** `done`, or the code of the error it ended with. */
  readonly outcome: string;
  readonly after: unknown;
}

/** `outcome` is `null` for what was begun and not ended: its process may have died in between. */
export interface AuditRow extends AuditBegin {
  /** In the order in which they were begun. */
  readonly id: string;
  readonly at: number;
  readonly outcome: string | null;
  readonly after: unknown;
}

export interface AuditQuery {
  readonly actor: string | null;
  readonly operation: string | null;
  /** Milliseconds since the epoch, `from` included, `to` not. */
  readonly from: number | null;
  readonly to: number | null;
  /** Rows older than the one with this id. */
  readonly after: string | null;
  readonly limit: number;
}

export interface Audit {
  /** Stored when it resolves. Many at once are stored together. */
  begin(entry: AuditBegin): Promise<string>;
  /** Stored soon: `list` waits for it. */
  end(id: string, end: AuditEnd): void;
  /** Resolves when everything that ended is stored, or cannot be soon: to be awaited before the store is closed. */
  settled(): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery): Promise<readonly AuditRow[]>;
  /** Forgets what is older, a bounded number at a time; answers how many. */
  prune(keepMs: number): Promise<number>;
}

/** In the SQL store of every setup. Rejects with STORE_* while that is away. */
export interface Access {
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly throttle: Throttle;
  readonly audit: Audit;
}

/** Whether a grant reaches a queue. `*` stands for any characters, nothing else is special. */
export function reachesQueue(queues: readonly string[] | null, queue: string): boolean {
  return queues === null || queues.some((pattern) => matchesPattern(pattern, queue));
}

/** Backtracks to the last star alone: as long as pattern times text at worst. */
export function matchesPattern(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** The least role that has done everything its scopes are for. */
export function roleOfScopes(given: readonly Scope[]): Role {
  if (given.includes('admin') || given.includes('reveal')) return 'admin';
  return given.some((scope) => scope !== 'read') ? 'operator' : 'viewer';
}
