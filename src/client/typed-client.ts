/** A client that knows tasks by name and type only: no handler, and no schema, has to be where it is used. */

import type { TaskDefinition } from '../core/definition.ts';
import type { Duration } from '../core/duration.ts';
import { checkName } from '../core/names.ts';
import { type ClientBroker, type ClientStore, makeClient } from './client.ts';
import type { TaskRef } from './define.ts';
import type { EnqueueItem } from './enqueue-many.ts';
import type { Handle } from './handle.ts';
import { checkEnqueueOptions, type EnqueueOptions, type ItemOptions, type ManyOptions } from './options.ts';

/** The tasks among the exports of a module, by their names; any name with any input when the module is not given. */
type TasksOf<Module> = unknown extends Module
  ? Readonly<Record<string, { readonly input: unknown; readonly output: unknown }>>
  : { readonly [Key in keyof Module as NameOf<Module[Key]>]: TypesOf<Module[Key]> };
type NameOf<Value> = Value extends { readonly name: infer Name extends string; readonly '~types': unknown }
  ? Name
  : never;
type TypesOf<Value> = Value extends {
  readonly '~types': infer Types extends { readonly input: unknown; readonly output: unknown };
}
  ? Types
  : never;

type InputOf<Tasks, Name extends keyof Tasks> = Tasks[Name] extends { readonly input: infer Input } ? Input : never;
type OutputOf<Tasks, Name extends keyof Tasks> = Tasks[Name] extends { readonly output: infer Output } ? Output : never;

/**
 * Enqueues by name. Inputs are checked with the JSON Schema that workers publish; a name that no worker knows is
 * accepted, and its task waits until one does.
 */
export interface TypedClient<Module> extends AsyncDisposable {
  /** Stores one task; see {@link TaskRef.enqueue}. */
  enqueue<Name extends keyof TasksOf<Module> & string>(
    name: Name,
    input: InputOf<TasksOf<Module>, Name>,
    options?: EnqueueOptions,
  ): Promise<Handle<OutputOf<TasksOf<Module>, Name>>>;
  /** Stores many tasks of one name; see {@link TaskRef.enqueueMany}. */
  enqueueMany<Name extends keyof TasksOf<Module> & string>(
    name: Name,
    items: readonly (InputOf<TasksOf<Module>, Name> | EnqueueItem<InputOf<TasksOf<Module>, Name>>)[],
    options?: ManyOptions,
  ): Promise<Handle<OutputOf<TasksOf<Module>, Name>>[]>;
  /** Enqueues and waits; see {@link TaskRef.run}. */
  run<Name extends keyof TasksOf<Module> & string>(
    name: Name,
    input: InputOf<TasksOf<Module>, Name>,
    options?: ItemOptions & { readonly wait?: Duration },
  ): Promise<OutputOf<TasksOf<Module>, Name>>;
  /** The handle of a task by its id. Throws INVALID_ID; whether there is such a task shows when it is used. */
  handle(taskId: string): Handle<unknown>;
  /** Closes the store if it was opened. A process may also just end. */
  close(): Promise<void>;
}

/** What the program that creates the client puts behind it. */
export interface TypedClientParts {
  open(): Promise<ClientStore>;
  /** The definition of a name: as living workers publish it, or a bare one for a name that nobody knows. */
  define(name: string, broker: ClientBroker): Promise<TaskDefinition>;
}

/** Makes a typed client. Nothing is opened yet. */
export function makeTypedClient<Module>(parts: TypedClientParts): TypedClient<Module> {
  const client = makeClient({ open: parts.open });
  const find = async (name: string): Promise<TaskDefinition> =>
    parts.define(checkName(name, 'The name of the task'), await client.open());
  const enqueue = async <Output>(name: string, input: unknown, options?: EnqueueOptions): Promise<Handle<Output>> =>
    client.enqueue(await find(name), input, options);
  return {
    enqueue,
    async enqueueMany(name, items, options) {
      return client.enqueueMany(await find(name), items, options);
    },
    async run(name, input, { wait, ...options } = {}) {
      checkEnqueueOptions(options);
      const handle = await enqueue<OutputOf<TasksOf<Module>, typeof name>>(name, input, options);
      return handle.result(wait === undefined ? {} : { timeout: wait });
    },
    handle: (taskId) => client.handle(taskId),
    close: () => client.close(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
