/** The schemas of what operations on keys and sessions answer. */

import { z } from 'zod';
import { keyKinds, roles, scopes } from '../core/access.ts';
import { documentSchema, next, rate, time } from './output.ts';
import type { EndedSessionDocument, SessionDocument, SessionListDocument } from './session.ts';
import type { CreatedTokenDocument, TokenDocument, TokenListDocument } from './token.ts';

const token = {
  id: z.string(),
  kind: z.enum(keyKinds),
  label: z.string(),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)).nullable().describe('null is everything that the role may'),
  queues: z.array(z.string()).nullable().describe('Patterns of the queues it reaches; null is all'),
  rate: rate.nullable().describe('Requests in a time, on each server; null is what that lets every key make'),
  state: z.enum(['active', 'revoked', 'expired']),
  createdAt: time,
  createdBy: z.string(),
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable(),
  revokedAt: time.nullable(),
};

export const tokenOutput = documentSchema<TokenDocument>()('Token', z.strictObject(token));

export const createdTokenOutput = documentSchema<CreatedTokenDocument>()(
  'CreatedToken',
  z.strictObject({ ...token, token: z.string().describe('Shown this once') }),
);

export const tokenListOutput = documentSchema<TokenListDocument>()(
  'TokenList',
  z.strictObject({ tokens: z.array(tokenOutput), next }),
);

export const sessionOutput = documentSchema<SessionDocument>()(
  'Session',
  z.strictObject({
    id: z.string(),
    key: z.string(),
    label: z.string(),
    address: z.string().nullable(),
    agent: z.string().nullable(),
    createdAt: time,
    seenAt: time,
    expiresAt: time,
  }),
);

export const sessionListOutput = documentSchema<SessionListDocument>()(
  'SessionList',
  z.strictObject({ sessions: z.array(sessionOutput), next }),
);

export const endedSessionOutput = documentSchema<EndedSessionDocument>()(
  'EndedSession',
  z.strictObject({ id: z.string(), ended: z.literal(true) }),
);
