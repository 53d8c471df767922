/** Operations on definitions: what living workers publish of the tasks they know. */

import { taskFlowError } from '../core/errors.ts';
import type { LimitTemplate } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Policy, parsePolicy } from '../core/policy.ts';
import { type Definition, isAlive, type WorkerRecord } from '../core/presence.ts';
import type { IfExists } from '../core/task.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { NamesInput, QueueInput } from './schemas.ts';

/** A version of a task's input schema that living workers have. */
export interface DefinitionVersionDocument {
  /** `null` for workers whose schema says no version. */
  readonly version: string | null;
  /** Names of the workers that have it, at most 20 of them. */
  readonly workers: readonly string[];
}

/** A task as living workers know it; where they differ, as the one that started last does. */
export interface DefinitionDocument {
  readonly name: string;
  readonly description: string | null;
  readonly queue: string;
  readonly timeoutMs: number | null;
  /** How often it is tried, how long it is kept, how it is run. */
  readonly policy: Policy;
  /** Templates over the input. */
  readonly key: string | null;
  readonly keyForMs: number | null;
  readonly ifExists: IfExists;
  readonly group: string | null;
  readonly limits: readonly LimitTemplate[];
  readonly isFlow: boolean;
  /** Names of its schedules in code. */
  readonly schedules: readonly string[];
  readonly file: string | null;
  readonly schemaVersion: string | null;
  /** Living workers that can run it. */
  readonly workers: number;
  /** The versions in use, that of the document first. */
  readonly versions: readonly DefinitionVersionDocument[];
  /** Whether workers differ about its input: what one accepts another may refuse. */
  readonly mismatch: boolean;
}

/** `next` is the `from` of the next page. */
export interface DefinitionListDocument {
  readonly definitions: readonly DefinitionDocument[];
  readonly next: string | null;
}

/** With the JSON Schema of its input, `null` where the schema library gives none. */
export interface DefinitionRecordDocument extends DefinitionDocument {
  readonly inputSchema: unknown;
}

export const definitionList: Operation<NamesInput, DefinitionListDocument> = {
  name: 'definition.list',
  summary: 'List the tasks that living workers know, and where their versions differ',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/definitions' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).namesInput,
  output: async () => (await import('./definition-output.ts')).definitionListOutput,
  async run(context, { from = '', limit = limits.pageMax - 1 }) {
    const published = await readPublished(context);
    const names = [...published.keys()].filter((name) => name >= from).sort();
    return {
      definitions: names.slice(0, limit).map((name) => definitionDocument(published.get(name) ?? [])),
      next: names[limit] ?? null,
    };
  },
};

/** A task that no living worker knows is DEFINITION_NOT_FOUND. */
export const definitionGet: Operation<QueueInput, DefinitionRecordDocument> = {
  name: 'definition.get',
  summary: 'Show a task as living workers know it, with the schema of its input',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/definitions/:name' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).queueInput,
  output: async () => (await import('./definition-output.ts')).definitionRecordOutput,
  async run(context, { name }) {
    const published = await readPublished(context);
    const found = published.get(name);
    const [newest] = found ?? [];
    if (found === undefined || newest === undefined) {
      const near = didYouMean(name, [...published.keys()]).trim();
      throw taskFlowError('DEFINITION_NOT_FOUND', { name }, near === '' ? {} : { hint: near });
    }
    return { ...definitionDocument(found), inputSchema: newest.definition.inputSchema };
  },
};

interface Published {
  readonly worker: WorkerRecord;
  readonly definition: Definition;
}

/** By name what each living worker publishes, that of the worker which started last first. */
async function readPublished({ store }: OperationContext): Promise<ReadonlyMap<string, readonly Published[]>> {
  const [info, records] = await Promise.all([store.broker.info(), store.broker.getWorkers()]);
  const living = records.filter((worker) => isAlive(worker, info.now)).sort((a, b) => b.startedAt - a.startedAt);
  const all = living.flatMap((worker) => worker.definitions.map((definition) => ({ worker, definition })));
  return Map.groupBy(all, ({ definition }) => definition.name);
}

function definitionDocument(published: readonly Published[]): DefinitionDocument {
  const [newest] = published;
  if (newest === undefined) throw taskFlowError('INTERNAL', { problem: 'a definition without a worker' });
  const { inputSchema: _inputSchema, policy, limits: rules, schedules, isFlow, ...rest } = newest.definition;
  const byVersion = Map.groupBy(published, ({ definition }) => definition.schemaVersion);
  return {
    name: rest.name,
    description: rest.description,
    queue: rest.queue,
    timeoutMs: rest.timeoutMs,
    policy: parsePolicy(policy),
    key: rest.key,
    keyForMs: rest.keyForMs,
    ifExists: rest.ifExists,
    group: rest.group,
    limits: (rules ?? []).map(({ key, max, rate }) => ({ key, max, rate })),
    isFlow: isFlow === true,
    schedules: schedules ?? [],
    file: rest.file,
    schemaVersion: rest.schemaVersion,
    workers: published.length,
    versions: [...byVersion].map(([version, having]) => ({
      version,
      workers: having.slice(0, limits.holdersMax).map(({ worker }) => worker.name),
    })),
    mismatch: byVersion.size > 1,
  };
}
