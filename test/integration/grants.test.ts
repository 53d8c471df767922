/** Tests who may do what: every operation by every role and every scope, in queues of the key and in others, with a row in the audit. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { roleOfScopes, roles, scopes } from '../../src/core/access.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { type Actor, type Operation, perform } from '../../src/operations/operation.ts';
import { type OperationName, operations } from '../../src/operations/registry.ts';
import { grants, inQueues } from '../support/grants.ts';
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
      const attempt = perform(operationOf(name), context, input);
      if (name === 'task.list' || name === 'queue.list') {
        const [list] = Object.values((await attempt) as Record<string, unknown[]>);
        expect(list).toEqual([]);
      } else await expect(attempt).rejects.toMatchObject({ code: 'QUEUE_FORBIDDEN' });
    }
  });

  test('live.follow with a key of some queues follows what is filtered by queue, and not what tells of all', async () => {
    const context = { ...world.context, actor: { name: 'x', role: 'viewer', queues: ['mail.*'] } as const };
    const follow = operationOf('live.follow');
    await expect(perform(follow, context, { topics: 'all,queue:mail.out' })).resolves.toMatchObject({ after: null });
    for (const topics of ['counts', 'all, worker'])
      await expect(perform(follow, context, { topics })).rejects.toMatchObject({ code: 'QUEUE_FORBIDDEN' });
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
  });
});

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
