/** The stores a kit runs on: SQLite as users ship it, in memory or in a file that lives as long as its kit. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../broker/connect.ts';
import type { Chance } from '../core/chance.ts';
import { invalidOption } from '../core/option-names.ts';
import type { Store } from '../history/history.ts';

/** `memory` is private to the kit and fastest; `sqlite` is a real file, with all that a file means. */
export type TestStore = 'memory' | 'sqlite';

/** Opens an empty store whose time is `now`. Closing it leaves nothing behind. */
export async function openTestStore(kind: TestStore, now: () => number, chance: Chance): Promise<Store> {
  if (kind === 'memory') return openSqlite(':memory:', now, chance);
  if (kind !== 'sqlite') throw invalidOption('store', `${JSON.stringify(kind)} is neither 'memory' nor 'sqlite'`);
  const folder = await mkdtemp(join(tmpdir(), 'taskflow-test-'));
  const store = await openSqlite(join(folder, 'tasks.db'), now, chance);
  return {
    broker: store.broker,
    history: store.history,
    async close() {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Only what is stored follows the test's time: waiting for a lock takes as long as it takes. */
async function openSqlite(file: string, now: () => number, chance: Chance): Promise<Store> {
  const store = connect(`sqlite:${file}`, { now, chance });
  await store.broker.open();
  return store;
}
