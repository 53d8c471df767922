/** The operation that live updates begin with: what to follow, and from where on. */

import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { parseCursor, parseTopic } from '../core/live.ts';
import type { Operation } from './operation.ts';
import type { LiveInput } from './schemas.ts';

/** What somebody may follow from now on: the messages come over the connection it was asked on. */
export interface LivePlan {
  /** Each once, in the form that messages name them in. */
  readonly topics: readonly string[];
  /** The cursor it goes on from; `null` begins now. */
  readonly after: string | null;
}

export const liveFollow: Operation<LiveInput, LivePlan> = {
  name: 'live.follow',
  summary: 'Follow what happens, as a stream of events or over a WebSocket',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/events', eventsOf: async () => (await import('./live-output.ts')).liveMessageOutput },
  audit: null,
  schema: async () => (await import('./schemas.ts')).liveInput,
  output: async () => (await import('./live-output.ts')).livePlanOutput,
  run: async (_context, { topics, after }) => ({ topics: readTopics(topics), after: readAfter(after) }),
};

function readTopics(text: string): readonly string[] {
  const texts = text.split(',');
  if (texts.length > limits.liveTopicsMax)
    throw taskFlowError('INVALID_OPTION', {
      what: 'topics',
      problem: `there are ${texts.length}, at most ${limits.liveTopicsMax} are followed together`,
    });
  return [...new Set(texts.map((each) => parseTopic(each.trim()).text))];
}

function readAfter(text: string | undefined): string | null {
  if (text === undefined || parseCursor(text) !== null) return text ?? null;
  throw taskFlowError('INVALID_OPTION', { what: 'after', problem: 'it is not the cursor of a message' });
}
