/** Operations on sessions: who is signed in at a browser. */

import type { AccessSession } from '../core/access.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import { accessOf } from './access-of.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { IdPageInput, KeyIdInput } from './schemas.ts';

/** A session as every surface shows it. */
export interface SessionDocument {
  readonly id: string;
  /** The id of the key it was begun with; it ends with it. */
  readonly key: string;
  readonly label: string;
  readonly address: string | null;
  /** What the browser said of itself. */
  readonly agent: string | null;
  readonly createdAt: string;
  /** To the minute. */
  readonly seenAt: string;
  readonly expiresAt: string;
}

export interface SessionListDocument {
  /** Newest first. */
  readonly sessions: readonly SessionDocument[];
  /** The `after` of the next page; `null` at the end. */
  readonly next: string | null;
}

export interface EndedSessionDocument {
  readonly id: string;
  readonly ended: true;
}

export const sessionList: Operation<IdPageInput, SessionListDocument> = {
  name: 'session.list',
  summary: 'List who is signed in at a browser, newest first',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'GET', path: '/sessions' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).idPageInput,
  output: async () => (await import('./token-output.ts')).sessionListOutput,
  async run(context, { after, limit = limits.pageMax - 1 }) {
    const found = await accessOf(context).sessions.list(after ?? null, limit + 1);
    const sessions = found.slice(0, limit).map(sessionDocument);
    return { sessions, next: found.length > limit ? (sessions.at(-1)?.id ?? null) : null };
  },
};

/** Throws SESSION_NOT_FOUND. */
export const sessionEnd: Operation<KeyIdInput, EndedSessionDocument> = {
  name: 'session.end',
  summary: 'Sign somebody out, on every server within 5 seconds',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'DELETE', path: '/sessions/:id' },
  audit: 'ended session {id}',
  state: readSession,
  schema: async () => (await import('./schemas.ts')).keyIdInput,
  output: async () => (await import('./token-output.ts')).endedSessionOutput,
  async run(context, { id }) {
    if (!(await accessOf(context).sessions.end(id))) throw taskFlowError('SESSION_NOT_FOUND', { id: id.slice(0, 60) });
    return { id, ended: true };
  },
};

function sessionDocument({ keyId, createdAt, seenAt, expiresAt, ...rest }: AccessSession): SessionDocument {
  return {
    ...rest,
    key: keyId,
    createdAt: isoTime(createdAt),
    seenAt: isoTime(seenAt),
    expiresAt: isoTime(expiresAt),
  };
}

async function readSession(context: OperationContext, { id }: KeyIdInput): Promise<SessionDocument | null> {
  const session = await accessOf(context).sessions.get(id);
  return session === null ? null : sessionDocument(session);
}
