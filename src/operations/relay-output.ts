/** The schemas of what operations on the relay answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, time } from './output.ts';
import type { RelayDocument, RelayDroppedDocument, RelayPushedDocument, SetAsideDocument } from './relay.ts';

export const relayStatus = { waiting: count, setAside: count, lagMs: durationMs };

const setAside = documentSchema<SetAsideDocument>()(
  'SetAsideTask',
  z.strictObject({ id: z.string(), name: z.string().nullable(), enqueuedAt: time, problem: z.string() }),
);

export const relayOutput = documentSchema<RelayDocument>()(
  'Relay',
  z.strictObject({ ...relayStatus, tasks: z.array(setAside) }),
);

export const relayPushedOutput = documentSchema<RelayPushedDocument>()(
  'RelayPushed',
  z.strictObject({ id: z.string(), outcome: z.literal('pushed') }),
);

export const relayDroppedOutput = documentSchema<RelayDroppedDocument>()(
  'RelayDropped',
  z.strictObject({ id: z.string(), outcome: z.literal('dropped') }),
);
