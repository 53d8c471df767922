/** Keys, sessions, failed tries and the audit: small tables, but for the audit, which is pruned by time. */

export const name = '0016_access';

/** The statements, in order. Secrets are nowhere: what is stored of them is a hash. */
export function up(): readonly string[] {
  return [
    // scopes, queues: JSON lists; NULL is all of them.
    `CREATE TABLE access_keys (
      id text NOT NULL PRIMARY KEY,
      kind text NOT NULL,
      label text NOT NULL,
      hash text NOT NULL,
      role text NOT NULL,
      scopes text,
      queues text,
      created_at bigint NOT NULL,
      created_by text NOT NULL,
      expires_at bigint,
      last_used_at bigint,
      revoked_at bigint
    )`,
    `CREATE TABLE access_sessions (
      id text NOT NULL PRIMARY KEY,
      hash text NOT NULL,
      key_id text NOT NULL,
      address text,
      agent text,
      created_at bigint NOT NULL,
      seen_at bigint NOT NULL,
      expires_at bigint NOT NULL
    )`,
    'CREATE UNIQUE INDEX access_sessions_hash ON access_sessions (hash)',
    'CREATE TABLE access_links (hash text NOT NULL PRIMARY KEY, key_id text NOT NULL, expires_at bigint NOT NULL)',
    // name: an account or an address, hashed. until_at: no try before it.
    'CREATE TABLE access_tries (name text NOT NULL PRIMARY KEY, failures bigint NOT NULL, at bigint NOT NULL, until_at bigint NOT NULL)',
    // outcome: NULL until it is known. input, before_state, after_state: JSON.
    `CREATE TABLE audit (
      id text NOT NULL PRIMARY KEY,
      at bigint NOT NULL,
      actor text NOT NULL,
      key_id text,
      address text,
      request_id text,
      operation text NOT NULL,
      line text NOT NULL,
      input text NOT NULL,
      before_state text,
      after_state text,
      outcome text
    )`,
    'CREATE INDEX audit_at ON audit (at)',
    'CREATE INDEX audit_actor ON audit (actor, id)',
    'CREATE INDEX audit_operation ON audit (operation, id)',
  ];
}
