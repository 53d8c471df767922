/** Operations on the audit: who did what. */

import type { AuditRow } from '../core/access.ts';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import { accessOf } from './access-of.ts';
import type { Operation } from './operation.ts';
import type { AuditInput } from './schemas.ts';

/** One thing somebody did, or tried to. */
export interface AuditDocument {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  /** The id of their key; `null` for who works straight on the store. */
  readonly key: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly operation: string;
  /** What was done, in words. */
  readonly text: string;
  /** `done`, or the code of the error; `null` for what was begun and not ended. */
  readonly outcome: string | null;
  /** What was asked, without payloads; the beginning of what is long. */
  readonly input: unknown;
  readonly before: unknown;
  readonly after: unknown;
}

export interface AuditListDocument {
  /** Newest first. */
  readonly rows: readonly AuditDocument[];
  /** The `after` of the next page; `null` at the end. */
  readonly next: string | null;
}

export const auditList: Operation<AuditInput, AuditListDocument> = {
  name: 'audit.list',
  summary: 'List what was done by whom, newest first',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'GET', path: '/audit' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).auditInput,
  output: async () => (await import('./audit-output.ts')).auditListOutput,
  async run(context, { who, operation, from, to, after, limit = limits.pageMax - 1 }) {
    const found = await accessOf(context).audit.list({
      actor: who ?? null,
      operation: operation ?? null,
      from: from === undefined ? null : Date.parse(from),
      to: to === undefined ? null : Date.parse(to),
      after: after ?? null,
      limit: limit + 1,
    });
    const rows = found.slice(0, limit).map(auditDocument);
    return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
  },
};

function auditDocument({ keyId, at, ...rest }: AuditRow): AuditDocument {
  return { ...rest, at: isoTime(at), key: keyId };
}
