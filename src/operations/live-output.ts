/** The schemas of what following answers before its messages come, and of the messages. */

import { z } from 'zod';
import type { LiveChange, LiveMessage } from '../core/live.ts';
import { type TransitionName, transitions } from '../core/states.ts';
import type { LivePlan } from './live.ts';
import { count, documentSchema, reason, state, time } from './output.ts';

export const livePlanOutput = documentSchema<LivePlan>()(
  'LivePlan',
  z.strictObject({ topics: z.array(z.string()), after: z.string().nullable() }),
);

const transitionNames = Object.keys(transitions) as TransitionName[];
const cursor = z.string().describe('Goes on from here: `after`, or `Last-Event-ID`');
const topics = z.array(z.string());

const change = documentSchema<LiveChange>()(
  'LiveChange',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    queue: z.string(),
    version: count,
    kind: z.enum([...transitionNames, 'cancelRequest', 'configure', 'control', 'fire']).describe('What was done'),
    from: state.nullable(),
    to: state.nullable().describe('`null` when the task is gone'),
    reason: reason.nullable(),
    attempt: count,
    at: time,
  }),
);

/** The data of an event. Types that are not known are of a later version: ignore them. */
export const liveMessageOutput = documentSchema<LiveMessage>()(
  'LiveMessage',
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('open'), cursor, topics }),
    z.strictObject({ type: z.literal('changes'), cursor, topics, changes: z.array(change) }),
    z.strictObject({
      type: z.literal('state'),
      cursor,
      topic: z.string(),
      data: z.unknown().describe('What the operation of the topic answers; `null` when that is too much for a message'),
    }),
    z.strictObject({
      type: z.literal('resync'),
      cursor,
      topics,
      reason: z.enum(['log', 'store', 'burst', 'slow']).describe('Ask anew for what is shown: something was missed'),
    }),
  ]),
);
