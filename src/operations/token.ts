/** Operations on keys: what programs and people show to be let in. */

import { type AccessKey, type KeyKind, type Role, roleOfScopes, type Scope } from '../core/access.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Rate } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { readRate } from '../core/rate-text.ts';
import { isoTime } from '../core/time.ts';
import { accessOf } from './access-of.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { IdPageInput, KeyIdInput, NewTokenInput } from './schemas.ts';

/** A key as every surface shows it: never with its secret. */
export interface TokenDocument {
  readonly id: string;
  readonly kind: KeyKind;
  readonly label: string;
  readonly role: Role;
  /** `null` is everything that the role may. */
  readonly scopes: readonly Scope[] | null;
  /** Patterns of the queues it reaches; `null` is all. */
  readonly queues: readonly string[] | null;
  /** Requests that it may make in a time, on each server; `null` is what that lets every key make. */
  readonly rate: Rate | null;
  readonly state: 'active' | 'revoked' | 'expired';
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  /** To the minute; `null` is not yet. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

/** `token` is told this once. */
export interface CreatedTokenDocument extends TokenDocument {
  readonly token: string;
}

export interface TokenListDocument {
  /** Newest first. */
  readonly tokens: readonly TokenDocument[];
  /** The `after` of the next page; `null` at the end. */
  readonly next: string | null;
}

/** Throws TOO_MANY_KEYS. Nobody makes a key that may more than they: only admins make any. */
export const tokenCreate: Operation<NewTokenInput, CreatedTokenDocument> = {
  name: 'token.create',
  summary: 'Make a key for a person, a program or a worker; its secret is shown once',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'POST', path: '/tokens' },
  audit: 'created key {label}',
  made: ({ token: _secret, ...key }) => key,
  schema: async () => (await import('./schemas.ts')).newTokenInput,
  output: async () => (await import('./token-output.ts')).createdTokenOutput,
  async run(context, { label, role, scopes, queues, expiresIn, kind, rate }) {
    const given = scopes === undefined ? null : [...new Set(scopes)];
    const { key, token } = await accessOf(context).keys.create({
      kind: kind ?? (given === null ? 'user' : given.includes('work') ? 'worker' : 'api'),
      label,
      role: given === null ? (role ?? 'viewer') : roleOfScopes(given),
      scopes: given,
      queues: queues ?? null,
      rate: rate == null ? null : readRequestRate(rate),
      createdBy: context.actor.name,
      expiresInMs: expiresIn == null ? null : parseDuration(expiresIn, 'expiresIn', { min: 1 }),
    });
    return { ...tokenDocument(key, key.createdAt), token };
  },
};

export const tokenList: Operation<IdPageInput, TokenListDocument> = {
  name: 'token.list',
  summary: 'List the keys with what they may do, newest first',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'GET', path: '/tokens' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).idPageInput,
  output: async () => (await import('./token-output.ts')).tokenListOutput,
  async run(context, { after, limit = limits.pageMax - 1 }) {
    const [keys, { now }] = await Promise.all([
      accessOf(context).keys.list(after ?? null, limit + 1),
      context.store.broker.info(),
    ]);
    const page = keys.slice(0, limit);
    return {
      tokens: page.map((key) => tokenDocument(key, now)),
      next: keys.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  },
};

/** Throws KEY_NOT_FOUND. A key that is revoked already stays so. */
export const tokenRevoke: Operation<KeyIdInput, TokenDocument> = {
  name: 'token.revoke',
  summary: 'Revoke a key: within 5 seconds nobody is let in with it, nor kept in',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'DELETE', path: '/tokens/:id' },
  audit: 'revoked key {id}',
  state: readToken,
  schema: async () => (await import('./schemas.ts')).keyIdInput,
  output: async () => (await import('./token-output.ts')).tokenOutput,
  async run(context, { id }) {
    const key = await accessOf(context).keys.revoke(id);
    if (key === null) throw taskFlowError('KEY_NOT_FOUND', { id: id.slice(0, 60) });
    return tokenDocument(key, key.revokedAt ?? key.createdAt);
  },
};

async function readToken(context: OperationContext, { id }: KeyIdInput): Promise<TokenDocument | null> {
  const [key, { now }] = await Promise.all([accessOf(context).keys.get(id), context.store.broker.info()]);
  return key === null ? null : tokenDocument(key, now);
}

/** Throws INVALID_OPTION. */
function readRequestRate(given: NonNullable<NewTokenInput['rate']>): Rate {
  const rate = readRate(given, 'rate');
  if ((rate.count * 1_000) / rate.perMs > limits.requestsMax)
    throw taskFlowError('INVALID_OPTION', {
      what: 'rate',
      problem: `more than ${limits.requestsMax} requests a second are not counted`,
    });
  return rate;
}

function tokenDocument(key: AccessKey, now: number): TokenDocument {
  const time = (at: number | null): string | null => (at === null ? null : isoTime(at));
  const { expiresAt, revokedAt } = key;
  return {
    id: key.id,
    kind: key.kind,
    label: key.label,
    role: key.role,
    scopes: key.scopes,
    queues: key.queues,
    rate: key.rate,
    state: revokedAt !== null ? 'revoked' : expiresAt !== null && expiresAt <= now ? 'expired' : 'active',
    createdAt: isoTime(key.createdAt),
    createdBy: key.createdBy,
    expiresAt: time(expiresAt),
    lastUsedAt: time(key.lastUsedAt),
    revokedAt: time(revokedAt),
  };
}
