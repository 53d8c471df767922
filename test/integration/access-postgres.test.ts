/** Tests keys, sessions, delays and the audit in a Postgres. */

import { expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import type { Access, NewKey } from '../../src/core/access.ts';
import { onPostgres } from '../support/postgres-tests.ts';

const admin: NewKey = {
  kind: 'user',
  label: 'ada',
  role: 'admin',
  scopes: null,
  queues: ['email.*'],
  createdBy: 'test',
  expiresInMs: 3_600_000,
};

await onPostgres(({ url }) => {
  const using = async (work: (access: Access) => Promise<void>): Promise<void> => {
    const store = connect(url);
    await store.broker.open();
    try {
      await work(store.access!);
    } finally {
      await store.close();
    }
  };

  test('the first key is made once, is let in until it is revoked, and is listed', () =>
    using(async ({ keys }) => {
      const made = await Promise.all([1, 2, 3].map(() => keys.createFirst(admin)));
      const [{ key, token } = expect.fail('nobody got it')] = made.filter((one) => one !== null);
      expect(made.filter((one) => one !== null)).toHaveLength(1);
      expect(await keys.verify(token)).toMatchObject({ id: key.id, role: 'admin', queues: ['email.*'] });
      expect(await keys.list(null, 10)).toMatchObject([{ id: key.id, lastUsedAt: expect.any(Number) }]);
      await keys.revoke(key.id);
      expect(await keys.verify(token)).toBeNull();
    }));

  test('sessions and links begin and end', () =>
    using(async ({ keys, sessions }) => {
      const { key } = await keys.create(admin);
      const link = await sessions.createLink(key.id);
      expect([await sessions.useLink(link), await sessions.useLink(link)]).toMatchObject([{ id: key.id }, null]);
      const { session, secret } = await sessions.begin({ keyId: key.id, address: null, agent: null });
      expect(await sessions.find(secret)).toMatchObject({ session: { id: session.id, label: 'ada' } });
      expect(await sessions.list(null, 5)).toMatchObject([{ id: session.id }]);
      expect([await sessions.end(session.id), await sessions.find(secret)]).toEqual([true, null]);
    }));

  test('who guesses waits', () =>
    using(async ({ throttle }) => {
      for (let n = 0; n < 6; n++) await throttle.failed(['key:a', 'address:b']);
      expect(await throttle.waitMs(['key:a'])).toBeGreaterThan(0);
      await throttle.succeeded(['key:a', 'address:b']);
      expect(await throttle.waitMs(['key:a'])).toBe(0);
    }));

  test('the audit keeps what is done, and how it ended', () =>
    using(async ({ audit }) => {
      const entry = {
        actor: 'ada',
        keyId: null,
        address: null,
        requestId: null,
        operation: 'x.y',
        text: 'did',
        before: null,
      };
      const ids = await Promise.all([1, 2, 3].map((n) => audit.begin({ ...entry, input: { n } })));
      for (const id of ids) audit.end(id, { outcome: 'done', after: { id } });
      const query = { actor: 'ada', operation: 'x.y', from: 0, to: null, after: null, limit: 2 };
      const page = await audit.list(query);
      expect(page).toMatchObject([{ id: ids[2], outcome: 'done', after: { id: ids[2] } }, { id: ids[1] }]);
      expect(await audit.list({ ...query, after: page[1]!.id })).toMatchObject([{ id: ids[0], input: { n: 1 } }]);
      expect(await audit.prune(-1_000)).toBe(3);
    }));
});
