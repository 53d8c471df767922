/** Operations on limits: what is configured for the name of one, in place of what its tasks say. */

import type { LimitRecord } from '../broker/broker.ts';
import type { Rate } from '../core/limit-rules.ts';
import { readRate } from '../core/rate-text.ts';
import type { Settings } from '../core/settings.ts';
import { pageOf } from './name-page.ts';
import type { Operation, OperationContext } from './operation.ts';
import { type PauseDocument, pauseDocument } from './pause-document.ts';
import type { KeyInput, LimitInput, NamesInput, PauseKeyInput } from './schemas.ts';

/** A limit as every surface shows it. */
export interface LimitDocument {
  readonly name: string;
  readonly state: 'active' | 'paused';
  /** Configured; `null` leaves it to the tasks that carry the limit. */
  readonly max: number | null;
  readonly rate: Rate | null;
  readonly pause: PauseDocument | null;
  /** Running tasks that carry it. */
  readonly running: number;
}

/** `next` is the `from` of the next page. */
export interface LimitListDocument {
  readonly limits: readonly LimitDocument[];
  readonly next: string | null;
}

export const limitList: Operation<NamesInput, LimitListDocument> = {
  name: 'limit.list',
  summary: 'List the limits that were set or paused, or that running tasks carry',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/limits' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).namesInput,
  output: async () => (await import('./limit-output.ts')).limitListOutput,
  async run({ store }, input) {
    const { records, next } = await pageOf(input, (from, limit) => store.broker.getLimits(from, limit));
    return { limits: records.map(limitDocument), next };
  },
};

export const limitSet: Operation<LimitInput, LimitDocument> = {
  name: 'limit.set',
  summary: 'Say how many tasks with a limit run at once or start in a time, whatever they say themselves',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/limits/:name/set' },
  audit: 'set limit {name}',
  state: (context, { name }) => readLimit(context, name),
  schema: async () => (await import('./schemas.ts')).limitInput,
  output: async () => (await import('./limit-output.ts')).limitOutput,
  async run(context, input) {
    await context.store.broker.configure('limit', input.name, limitSettings(input));
    return readLimit(context, input.name);
  },
};

export const limitPause: Operation<PauseKeyInput, LimitDocument> = {
  name: 'limit.pause',
  summary: 'Stop starting tasks that carry a limit; what runs goes on',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/limits/:name/pause' },
  audit: 'paused limit {name}',
  state: (context, { name }) => readLimit(context, name),
  schema: async () => (await import('./schemas.ts')).pauseKeyInput,
  output: async () => (await import('./limit-output.ts')).limitOutput,
  async run(context, { name, reason }) {
    await context.store.broker.configure('limit', name, { pause: { by: context.actor.name, reason: reason ?? null } });
    return readLimit(context, name);
  },
};

export const limitResume: Operation<KeyInput, LimitDocument> = {
  name: 'limit.resume',
  summary: 'Start tasks that carry a paused limit again',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/limits/:name/resume' },
  audit: 'resumed limit {name}',
  state: (context, { name }) => readLimit(context, name),
  schema: async () => (await import('./schemas.ts')).keyInput,
  output: async () => (await import('./limit-output.ts')).limitOutput,
  async run(context, { name }) {
    await context.store.broker.configure('limit', name, { pause: null });
    return readLimit(context, name);
  },
};

/** What somebody sent, as the store takes it: absent changes nothing, null goes back to the default. */
export function limitSettings({ max, rate }: Pick<LimitInput, 'max' | 'rate'>): Pick<Settings, 'max' | 'rate'> {
  return {
    ...(max !== undefined && { max }),
    ...(rate !== undefined && { rate: rate === null ? null : readRate(rate, 'rate') }),
  };
}

/** A limit nobody configured is whatever its tasks say: any name is one. */
async function readLimit({ store }: OperationContext, name: string): Promise<LimitDocument> {
  const [record] = await store.broker.getLimits(name, 1);
  return limitDocument(record?.name === name ? record : { name, max: null, rate: null, pause: null, held: 0 });
}

function limitDocument({ name, max, rate, pause, held }: LimitRecord): LimitDocument {
  return {
    name,
    state: pause === null ? 'active' : 'paused',
    max,
    rate,
    pause: pauseDocument(pause),
    running: held,
  };
}
