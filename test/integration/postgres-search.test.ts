/** Searching on Postgres finds what searching on SQLite finds, inside of documents too. */

import { expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import type { Store } from '../../src/history/history.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

const payloads: readonly unknown[] = [
  { to: 'ada', n: 5, deep: [{ x: 'd' }], ok: true },
  { to: 'adam', n: 5.5, deep: [], ok: false },
  { to: 'x\0y', n: '5', ok: null },
  { to: '\ud800', n: 1e21, 0: 'zero' },
  ['zero', 'one'],
  'plain',
];

const filters = [
  'input.to:ada',
  'input.to:ada*',
  'input.n:5',
  'input.n:>5',
  '-input.n:5',
  'input.deep.0.x:d',
  'input.ok:true',
  'input.ok:null',
  'input.0:zero',
  'tag:red',
  'tag:r*',
  'name:mail.send state:queued',
  'priority:5',
  'mail',
  'name:mail.send',
  'name:m*',
  'name:other.*,mail.send state:scheduled',
];

/** What means something to LIKE or GLOB means nothing in a pattern, but for the star. */
const queues = ['mail', 'Mail', 'eu.mail', 'a%l', 'a_l', 'abl', 'a?l', '[a]l', 'a\\l', 'ÄÖ'];
const patterns = ['*', '*mail', 'm*l', 'a%*', 'a_l*', '*?l', '[a]*', '*\\l', '*Ö', '[am]*l'];

await onPostgres(({ url }) => {
  test('every kind of filter finds the same tasks on both', async () => {
    const stores = [connect('sqlite::memory:'), connect(url, { namespace: 'search' })];
    const found = await Promise.all(stores.map(search));
    expect(found[1]).toEqual(found[0]);
    expect(Object.values(found[0] ?? {}).filter((ids) => ids.length > 0).length).toBeGreaterThan(10);
    await Promise.all(stores.map((store) => store.close()));
  });
});

async function search({ broker, history }: Store): Promise<Readonly<Record<string, readonly string[]>>> {
  await broker.open();
  await broker.enqueue(
    payloads.map((payload, index) =>
      newTask(sampleId(index), { payload: JSON.stringify(payload), tags: index % 2 === 0 ? ['red', 'round'] : [] }),
    ),
  );
  // One of each state, and of another name.
  await broker.enqueue([
    newTask(sampleId(20), { delayMs: 60_000 }),
    newTask(sampleId(21), { name: 'other.thing', dependsOn: [{ taskId: sampleId(20), onFailure: 'fail' }] }),
    newTask(sampleId(22), { name: 'other.thing', delayMs: 60_000 }),
    ...queues.map((queue, index) => newTask(sampleId(30 + index), { queue, delayMs: 60_000 })),
  ]);
  const [first, second] = await broker.claim(claimRequest(sampleToken(1), { limit: 2 }));
  if (first === undefined || second === undefined) throw new Error('nothing was claimed');
  await broker.settle([settlement(first.task.id, first.lease, finish('succeeded'))]);
  const found: Record<string, readonly string[]> = {};
  for (const text of filters) {
    const { tasks } = await history.search(parseFilter(text), { after: null, limit: 50 });
    found[text] = tasks.map(({ id }) => id);
  }
  for (const text of patterns) {
    const term = {
      field: 'queue',
      path: [],
      values: [{ kind: 'pattern', text }],
      negated: false,
      position: 0,
    } as const;
    const { tasks } = await history.search({ terms: [term] }, { after: null, limit: 50 });
    found[`queues ${text}`] = tasks.map(({ id }) => id);
  }
  return found;
}
