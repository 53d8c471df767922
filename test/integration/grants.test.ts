/** Tests who may do what: every operation by every role and every scope, in queues of the key and in others, with a row in the audit. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { roleOfScopes, roles, scopes } from '../../src/core/access.ts';
import { bulkStart, readBulkOrder } from '../../src/core/bulk.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { overlay } from '../../src/core/overlay.ts';
import { doBulkPage } from '../../src/engine/bulk-page.ts';
import { type Actor, type Operation, perform } from '../../src/operations/operation.ts';
import { type OperationName, operations } from '../../src/operations/registry.ts';
import { grants, inQueues, outOfReach } from '../support/grants.ts';
import { type GuardedServer, startGuarded } from '../support/guarded.ts';
import { json } from '../support/http.ts';
import { operationSamples } from '../support/operation-samples.ts';
import { createOperationWorld, type OperationWorld } from '../support/operation-world.ts';

const names = Object.keys(operations) as OperationName[];
const operationOf = (name: OperationName) => operations[name] as unknown as Operation<unknown, unknown>;

describe('by role and scope', () => {
  let world: OperationWorld;
  beforeEach(async () => {
    world = await createOperationWorld();
  });
  afterEach(() => world.close());

  const codeOf = async (name: OperationName, actor: Actor): Promise<string> => {
    try {
      await perform(operationOf(name), { ...world.context, actor }, { nonsense: true });
      return 'done';
    } catch (error) {
      return error instanceof TaskFlowError ? error.code : String(error);
    }
  };
  // What may be asked gets as far as its input, which is wrong on purpose.
  const isRefused = (code: string) => code === 'FORBIDDEN' || code === 'SCOPE_MISSING';

  test.each(names)('%s', async (name) => {
    const [role, scope] = grants[name];
    for (const [index, given] of roles.entries()) {
      const code = await codeOf(name, { name: 'x', role: given });
      expect([given, code]).toEqual([given, index < roles.indexOf(role) ? 'FORBIDDEN' : 'INVALID_OPTION']);
    }
    for (const given of scopes) {
      const actor = { name: 'x', role: roleOfScopes([given]), scopes: [given] };
      const code = await codeOf(name, actor);
      const may = given === 'admin' || given === scope;
      expect([given, isRefused(code)]).toEqual([given, !may]);
    }
  });

  const ofPeople = names.filter((name) => operationOf(name).scope !== 'work');
  test.each(ofPeople)('%s with a key that reaches no queue of it', async (name) => {
    const actor: Actor = { name: 'x', role: 'admin', queues: ['elsewhere.*'] };
    const context = { ...world.context, actor };
    for (const input of await operationSamples[name](world)) {
      const answer = await perform(operationOf(name), context, input).catch((error: TaskFlowError) => error);
      const isMove = name === 'operation.create' && (input as { queue?: string }).queue !== undefined;
      const narrowed = name === 'operation.create' && !isMove ? { matched: 0, sample: [] } : outOfReach[name];
      expect(answer).toMatchObject(narrowed ?? { code: 'QUEUE_FORBIDDEN' });
    }
  });

  test('live.follow with a key of some queues follows what is filtered by queue, and not what tells of all', async () => {
    const context = { ...world.context, actor: { name: 'x', role: 'viewer', queues: ['mail.*'] } as const };
    const follow = operationOf('live.follow');
    await expect(perform(follow, context, { topics: 'all,queue:mail.out' })).resolves.toMatchObject({ after: null });
    for (const topics of ['counts', 'all, worker'])
      await expect(perform(follow, context, { topics })).rejects.toMatchObject({ code: 'QUEUE_FORBIDDEN' });
  });

  describe('with a key for the queue mail', () => {
    const mailOnly = { name: 'bob', role: 'admin', queues: ['mail'] } as const satisfies Actor;
    let mail: string;
    let other: string;
    const ask = (name: OperationName, input: unknown, actor: Actor = mailOnly) =>
      perform(operationOf(name), { ...world.context, actor }, input) as Promise<Record<string, unknown>>;
    const enqueue = async (queue: string) => String((await ask('task.enqueue', { name: 'a', queue }, admin)).id);
    const admin: Actor = { name: 'ada', role: 'admin' };
    const queueOf = async (id: string) => (await ask('task.get', { id }, admin)).queue;
    beforeEach(async () => {
      mail = await enqueue('mail');
      other = await enqueue('billing');
    });

    test.each([
      ['task.update-many', { priority: 1 }, 'updated'],
      ['task.cancel-many', {}, 'cancelled'],
      ['task.retry-many', {}, 'already'],
      ['task.remove-many', {}, 'already'],
    ] as const)(
      '%s does it to those of mail, and says of the others that they are out of reach',
      async (name, more, done) => {
        const unknown = '01K8Q2M4ZJF0C9YF4V7Z0B2HNX';
        const { tasks } = await ask(name, { ids: [other, mail, unknown], ...more });
        expect(tasks).toMatchObject([
          { id: other, outcome: 'forbidden', state: null },
          { id: mail, outcome: done },
          { id: unknown, outcome: 'unknown' },
        ]);
        expect(await ask('task.get', { id: other }, admin)).toMatchObject({ state: 'queued', priority: 5 });
      },
    );

    test('several tasks are looked at together, and in the record alone those that the live store does not know', async () => {
      const ids = await Promise.all(Array.from({ length: 60 }, () => world.enqueue({ queue: 'mail' })));
      const unknown = '01K8Q2M4ZJF0C9YF4V7Z0B2HNX';
      const { store } = world.context;
      const looks: (string | number)[] = [];
      const broker = overlay(store.broker, {
        getTasks(taskIds) {
          looks.push(taskIds.length);
          return store.broker.getTasks(taskIds);
        },
      });
      const history = overlay(store.history, {
        task(taskId) {
          looks.push(taskId);
          return store.history.task(taskId);
        },
      });
      const context = { ...world.context, actor: mailOnly, store: overlay(store, { broker, history }) };
      // Without the audit, which looks at the first of them for itself.
      const { tasks } = await operations['task.retry-many'].run(context, { ids: [...ids, unknown] });
      expect(tasks.map(({ outcome }) => outcome)).toEqual([...ids.map(() => 'already'), 'unknown']);
      expect(looks).toEqual([50, 11, unknown]);
    });

    test('nothing is moved to a queue that it does not reach', async () => {
      for (const [name, input] of [
        ['task.update-many', { ids: [mail], queue: 'billing' }],
        ['operation.create', { verb: 'move', q: 'name:a', queue: 'billing' }],
      ] as const)
        await expect(ask(name, input)).rejects.toMatchObject({ code: 'QUEUE_FORBIDDEN' });
      expect(await queueOf(mail)).toBe('mail');
    });

    test('a bulk operation counts and means the tasks of mail alone, says so, and is found by who reaches them', async () => {
      const made = await ask('operation.create', { verb: 'cancel', q: 'name:a', delay: 0 });
      expect(made).toMatchObject({
        matched: 1,
        queues: ['mail'],
        sample: [{ id: mail }],
        operation: { queues: ['mail'] },
      });
      const { id } = made.operation as { id: string };
      const whole = await ask('operation.create', { verb: 'cancel', q: 'name:a' }, admin);
      expect(whole).toMatchObject({ matched: 2, queues: null, operation: { queues: null } });
      const both = { ...mailOnly, queues: ['billing', 'mail'] };
      const elsewhere = { ...mailOnly, queues: ['billing'] };
      for (const actor of [mailOnly, both])
        expect(await ask('operation.list', {}, actor)).toMatchObject({ operations: [{ id }] });
      expect(await ask('operation.list', {}, elsewhere)).toMatchObject({ operations: [] });
      await expect(ask('operation.stop', { id }, elsewhere)).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
      await expect(ask('operation.get', { id: (whole.operation as { id: string }).id })).rejects.toMatchObject({
        code: 'OPERATION_NOT_FOUND',
      });
      const { broker, history } = world.context.store;
      const [task] = await broker.getTasks([id]);
      const order = readBulkOrder(task!.payload);
      const run = { order, filter: parseFilter(order.filter), askedAt: task!.createdAt };
      const state = await doBulkPage({ broker, history }, run, bulkStart, 100);
      expect(state).toMatchObject({ done: 1, refused: 0 });
      expect(await ask('task.get', { id: mail }, admin)).toMatchObject({ state: 'cancelled' });
      expect(await ask('task.get', { id: other }, admin)).toMatchObject({ state: 'queued' });
    });

    test('a bulk operation on named tasks leaves those of other queues alone, and says so', async () => {
      const made = await ask('operation.create', { verb: 'cancel', ids: [other, mail], delay: 0 });
      const { id } = made.operation as { id: string };
      const { broker, history } = world.context.store;
      const [task] = await broker.getTasks([id]);
      const run = { order: readBulkOrder(task!.payload), filter: parseFilter(''), askedAt: task!.createdAt };
      const state = await doBulkPage({ broker, history }, run, bulkStart, 100);
      expect(state).toMatchObject({ done: 1, refused: 1, failures: [{ taskId: other, outcome: 'forbidden' }] });
      expect(await ask('task.get', { id: other }, admin)).toMatchObject({ state: 'queued' });
    });

    test('its queue is purged, and no other', async () => {
      expect(await ask('queue.purge', { name: 'mail' })).toMatchObject({ queues: ['mail'] });
      await expect(ask('queue.purge', { name: 'billing' })).rejects.toMatchObject({ code: 'QUEUE_FORBIDDEN' });
    });
  });

  test.each(inQueues)('%s with a key that reaches all queues by a pattern', async (name) => {
    const context = { ...world.context, actor: { name: 'x', role: 'admin', queues: ['*'] } as const };
    const [input] = await operationSamples[name](world);
    await perform(operationOf(name), context, input);
  });

  test.each(names.filter((name) => operationOf(name).audit !== null))('%s leaves one row', async (name) => {
    const [input] = await operationSamples[name](world);
    const { audit } = world.context.store.access!;
    const query = { actor: 'eve', operation: name, from: null, to: null, after: null, limit: 10 };
    const actor = { name: 'eve', role: 'admin', keyId: 'K', sessionId: 'S' } as const;
    const context = { ...world.context, actor, address: '203.0.113.5', requestId: 'r-1' };
    const outcome = await perform(operationOf(name), context, input).then(
      () => 'done',
      (error: TaskFlowError) => error.code,
    );
    const rows = await audit.list(query);
    expect(rows).toMatchObject([{ keyId: 'K', address: '203.0.113.5', requestId: 'r-1', outcome }]);
    expect(rows[0]?.text).not.toMatch(/[{}]/);
    // Who only looks at what is hidden changes nothing.
    const { state, made } = operationOf(name);
    expect([state, made].filter((one) => one !== undefined)).toHaveLength(name === 'task.reveal' ? 0 : 1);
    if (outcome === 'done' && name !== 'task.reveal')
      expect([rows[0]?.before, rows[0]?.after]).not.toEqual([null, null]);
  });

  test('what is changed is told as it stood before and after, without what tasks work on', async () => {
    const { audit, keys } = world.context.store.access!;
    const context = { ...world.context, actor: { name: 'eve', role: 'admin' } as const };
    const ask = (name: OperationName, input: unknown) => perform(operationOf(name), context, input);
    const { key } = await keys.create({ ...newKey, label: 'shop' });
    const id = await world.enqueue({ payload: '{"card":"canary-1"}' });
    await ask('task.update', { id, priority: 'high', queue: 'mail' });
    await ask('task.cancel-many', { ids: [id] });
    await ask('task.remove', { id });
    await ask('schedule.pause', { name: 'nightly' });
    await ask('token.revoke', { id: key.id });
    await expect(ask('queue.pause', { name: 'nowhere' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    const made = (await ask('token.create', { label: 'bob' })) as { token: string };
    const query = { actor: 'eve', operation: null, from: null, to: null, after: null, limit: 20 };
    const rows = [...(await audit.list(query))].reverse();
    expect(rows).toMatchObject([
      { before: { state: 'queued', priority: 5, queue: 'default' }, after: { priority: 2, queue: 'mail' } },
      { before: [{ id, state: 'queued' }], after: [{ id, state: 'cancelled' }] },
      { before: { state: 'cancelled' }, after: null },
      { before: { pause: null }, after: { pause: { by: 'eve' } } },
      { before: { label: 'shop', state: 'active' }, after: { state: 'revoked' } },
      { operation: 'queue.pause', outcome: 'QUEUE_NOT_FOUND', before: null, after: null },
      { before: null, after: { label: 'bob', role: 'viewer' } },
    ]);
    for (const secret of ['canary-1', made.token.slice(-64)]) expect(JSON.stringify(rows)).not.toContain(secret);
  });
});

const newKey = {
  kind: 'user',
  role: 'admin',
  scopes: null,
  queues: null,
  createdBy: 'test',
  expiresInMs: null,
} as const;

test('what a program enqueues with its key is told by its tasks, and leaves no row', async () => {
  const world = await createOperationWorld();
  try {
    const rowsOf = () =>
      world.context.store.access!.audit.list({
        actor: 'eve',
        operation: null,
        from: null,
        to: null,
        after: null,
        limit: 10,
      });
    const asked = (more: object) => ({ ...world.context, actor: { name: 'eve', role: 'admin', ...more } as Actor });
    await perform(operations['task.enqueue'], asked({ keyId: 'K' }), { name: 'a' });
    await perform(operations['task.enqueue-many'], asked({ keyId: 'K' }), { tasks: [{ name: 'a' }] });
    expect(await rowsOf()).toEqual([]);
    await perform(operations['task.enqueue'], asked({ keyId: 'K', sessionId: 'S' }), {
      name: 'b',
      input: { card: 'canary-1' },
    });
    const rows = await rowsOf();
    expect(rows).toMatchObject([{ text: 'enqueued b', input: { name: 'b' } }]);
    expect(JSON.stringify(rows)).not.toContain('canary-1');
  } finally {
    await world.close();
  }
});

describe('over HTTP', () => {
  let server: GuardedServer;
  beforeEach(async () => {
    server = await startGuarded();
  });
  afterEach(() => server.close());

  const send = (token: string, path: string, body: unknown) =>
    server.askWith(token, path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('a key for mail enqueues mail, sees mail, and finds nothing else', async () => {
    const { token } = await server.newKey({
      kind: 'api',
      label: 'shop',
      role: 'operator',
      scopes: ['enqueue', 'read'],
      queues: ['mail.*'],
    });
    const own = await json(await send(token, '/api/v1/tasks', { name: 'a', queue: 'mail.high' }));
    expect((await send(token, '/api/v1/tasks', { name: 'a', queue: 'billing' })).status).toBe(403);
    expect((await send(token, '/api/v1/tasks', { name: 'a' })).status).toBe(403);
    const other = await server.newKey();
    const foreign = await json(await send(other.token, '/api/v1/tasks', { name: 'secret', queue: 'billing' }));
    const { tasks } = await json(await server.askWith(token, '/api/v1/tasks'));
    expect((tasks as { id: string }[]).map(({ id }) => id)).toEqual([own.id]);
    expect((await server.askWith(token, `/api/v1/tasks/${String(foreign.id)}`)).status).toBe(403);
    expect((await server.askWith(token, `/api/v1/tasks/${String(own.id)}`)).status).toBe(200);
    expect((await server.askWith(token, `/api/v1/tasks/${String(own.id)}/cancel`, { method: 'POST' })).status).toBe(
      403,
    );
  });

  test('what was done is told with who, from where and how it ended, and without payloads and secrets', async () => {
    const { token } = await server.newKey();
    await send(token, '/api/v1/tasks', { name: 'a', input: { card: 'canary-1' }, key: 'k' });
    await send(token, '/api/v1/groups/g/pause', { reason: 'unpaid' });
    await send(token, '/api/v1/tasks/01K8Q2M4ZJF0C9YF4V7Z0B2HNX/retry', {});
    const made = await json(await send(token, '/api/v1/tokens', { label: 'bob' }));
    await server.signIn('nonsense');
    const text = await (await server.askWith(token, '/api/v1/audit')).text();
    for (const secret of ['canary-1', token.slice(-64), String(made.token).slice(-64)])
      expect(text).not.toContain(secret);
    const { rows } = JSON.parse(text) as { rows: Record<string, unknown>[] };
    expect(rows).toMatchObject([
      { operation: 'session.begin', actor: 'unknown', outcome: 'UNAUTHENTICATED', address: '127.0.0.1' },
      { operation: 'token.create', text: 'created key bob', outcome: 'done' },
      { operation: 'task.retry', outcome: 'TASK_NOT_FOUND' },
      { operation: 'group.pause', text: 'paused group g', before: { state: 'active' }, after: { state: 'paused' } },
    ]);
  });
});
