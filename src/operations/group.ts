/** Operations on groups: whose turn comes how often, and who is passed. */

import type { GroupRecord } from '../broker/broker.ts';
import { pageOf } from './name-page.ts';
import type { Operation, OperationContext } from './operation.ts';
import { type PauseDocument, pauseDocument } from './pause-document.ts';
import type { KeyInput, NamesInput, PauseKeyInput, WeightInput } from './schemas.ts';

/** A group as every surface shows it. What is configured holds for its name in every queue. */
export interface GroupDocument {
  readonly name: string;
  readonly state: 'active' | 'paused';
  /** 1 where nothing else is configured. */
  readonly weight: number;
  readonly pause: PauseDocument | null;
}

/** `next` is the `from` of the next page. */
export interface GroupListDocument {
  readonly groups: readonly GroupDocument[];
  readonly next: string | null;
}

export const groupList: Operation<NamesInput, GroupListDocument> = {
  name: 'group.list',
  summary: 'List the groups that were weighed or paused',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/groups' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).namesInput,
  output: async () => (await import('./group-output.ts')).groupListOutput,
  async run({ store }, input) {
    const { records, next } = await pageOf(input, (from, limit) => store.broker.getGroups(from, limit));
    return { groups: records.map(groupDocument), next };
  },
};

export const groupWeight: Operation<WeightInput, GroupDocument> = {
  name: 'group.weight',
  summary: 'Say how often the turn of a group comes, beside the 1 of the others',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/groups/:name/weight' },
  audit: 'weighed group {name}',
  state: (context, { name }) => readGroup(context, name),
  schema: async () => (await import('./schemas.ts')).weightInput,
  output: async () => (await import('./group-output.ts')).groupOutput,
  async run(context, { name, weight }) {
    await context.store.broker.configure('group', name, { weight });
    return readGroup(context, name);
  },
};

export const groupPause: Operation<PauseKeyInput, GroupDocument> = {
  name: 'group.pause',
  summary: 'Stop starting tasks of a group in every queue; what runs goes on',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/groups/:name/pause' },
  audit: 'paused group {name}',
  state: (context, { name }) => readGroup(context, name),
  schema: async () => (await import('./schemas.ts')).pauseKeyInput,
  output: async () => (await import('./group-output.ts')).groupOutput,
  async run(context, { name, reason }) {
    await context.store.broker.configure('group', name, { pause: { by: context.actor.name, reason: reason ?? null } });
    return readGroup(context, name);
  },
};

export const groupResume: Operation<KeyInput, GroupDocument> = {
  name: 'group.resume',
  summary: 'Start tasks of a paused group again',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/groups/:name/resume' },
  audit: 'resumed group {name}',
  state: (context, { name }) => readGroup(context, name),
  schema: async () => (await import('./schemas.ts')).keyInput,
  output: async () => (await import('./group-output.ts')).groupOutput,
  async run(context, { name }) {
    await context.store.broker.configure('group', name, { pause: null });
    return readGroup(context, name);
  },
};

/** A group that was not configured is one like all others: any name is one. */
async function readGroup({ store }: OperationContext, name: string): Promise<GroupDocument> {
  const [record] = await store.broker.getGroups(name, 1);
  return groupDocument(record?.name === name ? record : { name, weight: null, pause: null });
}

function groupDocument({ name, weight, pause }: GroupRecord): GroupDocument {
  return { name, state: pause === null ? 'active' : 'paused', weight: weight ?? 1, pause: pauseDocument(pause) };
}
