/** What a command that asks for something works with: the operations, on the store of the configuration or through a server. */

import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { relative } from 'node:path';
import type { Config } from '../config/load.ts';
import type { TaskDefinition } from '../core/definition.ts';
import type { Store } from '../history/history.ts';
import type { Operation, OperationContext } from '../operations/operation.ts';
import type { Call } from './command.ts';
import { settingDocuments } from './setting-documents.ts';

/** Who asks, wherever the tasks are. */
export interface Session {
  /** Performs an operation as the person at this terminal, or as the key of a server. */
  ask<Input, Output>(operation: Operation<Input, Output>, input: unknown): Promise<Output>;
}

/** A session straight on a store. */
export interface StoreSession extends Session {
  readonly config: Config;
  readonly store: Store;
  readonly context: OperationContext;
}

/** Runs `work` with the server that `--server` names, else with the store, which is opened for it and closed again, however `work` ends. */
export async function withSession<Answer>(call: Call, work: (session: Session) => Promise<Answer>): Promise<Answer> {
  const server = call.text('server');
  if (server !== undefined) return (await import('./server-session.ts')).withServer(call, server, work);
  const config = await call.config();
  const store = await openConfiguredStore(call, config);
  try {
    return await work(await createSession(config, store));
  } finally {
    await store.access?.audit.settled();
    await store.close();
  }
}

/** A session on a store that somebody else closes. */
export async function createSession(
  config: Config,
  store: Store,
  local: readonly TaskDefinition[] = [],
): Promise<StoreSession> {
  const [{ perform }, { createContext }, { setTaskDefaults }, { taskDefaultsOf }] = await Promise.all([
    import('../operations/operation.ts'),
    import('../operations/context.ts'),
    import('../client/task-defaults.ts'),
    import('../config/task-defaults.ts'),
  ]);
  setTaskDefaults(taskDefaultsOf(config.settings));
  const settings = settingDocuments(config);
  const context = createContext({
    store,
    definitions: local,
    settings,
    redact: config.settings.redact ?? [],
    actor: { name: `cli:${userName()}`, role: 'admin' },
  });
  return { config, store, context, ask: (operation, input) => perform(operation, context, input) };
}

/** Opens the store of the configuration; says so when that made a new one, which may be a mistake about the folder. */
export async function openConfiguredStore(call: Call, config: Config): Promise<Store> {
  const { connect } = await import('../broker/connect.ts');
  const { broker, store: record, namespace } = config.settings;
  const file = storeFile(config) ?? (record === null ? null : fileOfUrl(record));
  const isNew = file !== null && !existsSync(file);
  const store = connect(broker, { folder: config.folder, store: record, namespace });
  await store.broker.open();
  if (isNew)
    call.output.note(
      `Made a new ${file === storeFile(config) ? 'store' : 'record'}: ${relative(call.cwd, file) || file}`,
    );
  return store;
}

/** The file of an SQLite store; `null` for any other. */
export function storeFile(config: Config): string | null {
  return fileOfUrl(config.settings.broker);
}

/** The file that an SQLite URL names; `null` for any other URL. */
export function fileOfUrl(url: string): string | null {
  const match = /^sqlite:(?:\/\/)?([^:?][^?]*)/.exec(url);
  return match?.[1] ?? null;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number nobody gave a name to.
    return 'unknown';
  }
}
