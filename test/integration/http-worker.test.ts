/** Tests the protocol of workers over HTTP as a worker in any language sees it: on every store, with keys for nothing but work. */
import { beforeEach, describe, expect, test } from 'vitest';
import { expectProblem, json } from '../support/http.ts';
import { completeTask } from '../support/operation-samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Body, type Claimed, createWireWorker, ends, type WireWorker } from '../support/wire-worker.ts';
import { onEachWorkerServer } from '../support/worker-server.ts';

await onEachWorkerServer((server) => {
  let world: WireWorker;
  beforeEach(async () => {
    world = await createWireWorker(server());
  });

  describe('a worker over HTTP', () => {
    test('makes itself and its tasks known, and they are validated and rendered from then on', async () => {
      const { call, worker, queue, person, get } = world;
      const name = `resize.${queue}`;
      const definitions = [
        {
          name,
          queue,
          policy: { attempts: 2 },
          timeoutMs: 5_000,
          key: `${queue}:{file}`,
          inputSchema: { type: 'object', properties: { file: { type: 'string' } }, required: ['file'] },
        },
      ];
      const registered = await call('register', { worker, definitions });
      expect(registered).toMatchObject({ leaseMs: 30_000, beatMs: 10_000, waitMaxMs: 30_000, commands: [] });
      await waitFor(async () =>
        expectProblem(await person('/tasks', { name, queue: 'else', input: {} }), 400, 'INVALID_INPUT'),
      );
      const { id } = await json(await person('/tasks', { name, input: { file: 'a.png' } }));
      expect(await get(String(id))).toMatchObject({ queue, key: `${queue}:a.png`, attempts: 2, timeoutMs: 5_000 });
      const { workers } = await json(await person('/workers'));
      expect(workers).toContainEqual(
        expect.objectContaining({ id: registered.id, name: worker.name, tasks: [name], state: 'ready' }),
      );
      await call('deregister', { worker });
      expect(JSON.stringify(await json(await person('/workers')))).not.toContain(worker.name);
    });

    test('claims, beats and settles; numbers stay as they were written', async () => {
      const { queue, worker, token, post, call, person } = world;
      const text = `{"name":"py.resize","queue":"${queue}","input":{"big":12345678901234567890}}`;
      const { id } = await json(await person('/tasks', text));
      const raw = { worker: worker.id, token: token(1), queues: { [queue]: 2 } };
      const claimed = await (await post('claim', raw)).text();
      expect(claimed).toContain('"input":{"big":12345678901234567890}');
      const [{ lease, attempt, idempotencyKey }] = JSON.parse(claimed).tasks;
      expect({ attempt, idempotencyKey }).toEqual({ attempt: 1, idempotencyKey: `${id}:1` });
      const beats = [
        {
          lease,
          ranMs: 12.5,
          progress: { done: 1, total: 4, note: 'quarter' },
          logs: [{ message: 'began', fields: { file: 'a.png' } }],
          steps: [{ name: 'load', value: { bytes: 5 } }],
        },
      ];
      expect(await call('heartbeat', { worker, beats })).toMatchObject({ answers: ['ok'], commands: [] });
      const done = `{"worker":"${worker.id}","outcomes":[{"lease":${JSON.stringify(lease)},"outcome":"done","ranMs":20,"result":{"n":98765432109876543210}}]}`;
      expect(await json(await post('outcome', done))).toEqual({
        results: [{ id, result: 'applied', to: null, code: null }],
        tasks: [],
      });
      const shown = await (await person(`/tasks/${id}`)).text();
      expect(shown).toContain('"result":{"n":98765432109876543210}');
      expect(JSON.parse(shown)).toMatchObject({
        state: 'succeeded',
        progress: { done: 1, total: 4, note: 'quarter' },
        steps: [{ name: 'load', value: { bytes: 5 } }],
      });
      await waitFor(async () => {
        const { logs } = await json(await person(`/tasks/${id}/logs`));
        expect(logs).toMatchObject([{ level: 'info', message: 'began', fields: { file: 'a.png' } }]);
      });
    });

    test('says how a run ended, and the server decides what that means', async () => {
      const { queue, enqueue, claim, outcome, get } = world;
      for (const [number, [said, becomes]] of ends.entries()) {
        const own = `${queue}.${number}`;
        const id = await enqueue({ queue: own });
        const [claimed] = await claim(number, { queues: { [own]: 1 } });
        const ranMs = said.outcome === 'released' || said.outcome === 'unknownTask' ? null : 5;
        expect(await outcome({ lease: claimed!.lease, ranMs, ...said })).toEqual(['applied']);
        expect({ said, task: await get(id) }).toMatchObject({ said, task: becomes });
        if ('error' in said && said.outcome === 'giveUp')
          expect((await get(id)).error).toMatchObject({
            name: 'ValueError',
            message: 'no such file',
            stack: said.error.stack,
          });
      }
    });

    test('gets the same tasks for the same claim, and an answer for what it sends twice', async () => {
      const { enqueue, claim, outcome } = world;
      await enqueue();
      const first = await claim(1);
      await enqueue();
      expect(await claim(1)).toEqual(first);
      const done = { lease: first[0]!.lease, outcome: 'done', ranMs: 1 };
      expect(await outcome(done)).toEqual(['applied']);
      expect(await outcome(done)).toEqual(['alreadyApplied']);
      expect(await claim(2)).toHaveLength(1);
    });

    test('claims many and settles many in one message, and claims the next with it', async () => {
      const { queue, worker, token, enqueue, claim, call } = world;
      const ids: string[] = [];
      for (let number = 0; number < 7; number++) ids.push(await enqueue());
      const claimed = await claim(1, { queues: { [queue]: 5 } });
      expect(claimed.map(({ id }) => id)).toEqual(ids.slice(0, 5));
      const next = { token: token(2), queues: { [queue]: 1 } };
      const outcomes = claimed.map(({ lease }, result) => ({ lease, outcome: 'done', ranMs: 1, result }));
      const answer = await call('outcome', { worker: worker.id, outcomes, claim: next });
      expect(answer).toMatchObject({
        results: ids.slice(0, 5).map((id) => ({ id, result: 'applied' })),
        tasks: [{ id: ids[5] }],
      });
    });

    test('is told of a cancellation, whatever it says then', async () => {
      const { worker, person, enqueue, claimOne, call, outcome, get } = world;
      const id = await enqueue();
      const { lease } = await claimOne();
      await person(`/tasks/${id}/cancel`, {});
      expect(await call('heartbeat', { worker, beats: [{ lease, ranMs: 1 }] })).toMatchObject({ answers: ['cancel'] });
      expect(await outcome({ lease, outcome: 'error', error: { message: 'stopped' }, ranMs: 2 })).toEqual([
        'cancelled',
      ]);
      expect(await get(id)).toMatchObject({ state: 'cancelled', reason: 'user' });
    });

    test('hears commands with its heartbeat until it confirms them', async () => {
      const { worker, call, person } = world;
      await call('register', { worker });
      const draining = person(`/workers/${encodeURIComponent(worker.name)}/drain`, {});
      const { commands } = await waitFor(async () => {
        const answer = await call('heartbeat', { worker });
        expect(answer.commands).toMatchObject([{ command: { kind: 'drain' } }]);
        return answer;
      });
      const id = (commands as readonly { id: number }[])[0]?.id;
      expect(await call('heartbeat', { worker: { ...worker, state: 'draining' }, heard: id })).toMatchObject({
        commands: [],
      });
      await draining;
      const { workers } = await json(await person('/workers'));
      expect(workers).toContainEqual(expect.objectContaining({ name: worker.name, state: 'draining' }));
    });

    test('brings tasks along with a success', async () => {
      const { queue, server: ids, enqueue, claimOne, outcome, get } = { ...world, server: server().context.ids };
      await enqueue();
      const { lease } = await claimOne();
      const next = { ...completeTask(ids.next()), queue: `${queue}.next` };
      expect(await outcome({ lease, outcome: 'done', ranMs: 1, spawn: [next] })).toEqual(['applied']);
      expect(await get(next.id)).toMatchObject({ state: 'queued', attempts: 3, input: { n: 1 } });
    });

    test('enqueues tasks while it runs, with a key for that, and once however often it asks', async () => {
      const { queue, worker, post } = world;
      const { token } = await server().newKey({ scopes: ['work', 'enqueue'], queues: [`${queue}*`] });
      const message = (...tasks: readonly object[]) => ({ worker: worker.id, tasks });
      const { ids } = server().context;
      const next = { ...completeTask(ids.next()), queue: `${queue}.next`, key: `k${queue}` };
      const other = { ...completeTask(ids.next()), queue: `${queue}.next`, key: `k${queue}` };
      const enqueue = async (...tasks: readonly object[]) => json(await post('enqueue', message(...tasks), token));
      const nothing = { of: null, state: 'queued' };
      expect(await enqueue(next)).toEqual({ results: [{ id: next.id, outcome: 'created', ...nothing }] });
      expect(await enqueue(next, other)).toEqual({
        results: [
          { id: next.id, outcome: 'existing', ...nothing },
          { id: other.id, outcome: 'duplicate', of: next.id, state: null },
        ],
      });
      await expectProblem(await post('enqueue', message(next)), 403, 'SCOPE_MISSING', 'enqueue');
      const elsewhere = { ...completeTask(ids.next()), queue: 'elsewhere' };
      await expectProblem(await post('enqueue', message(elsewhere), token), 403, 'QUEUE_FORBIDDEN', 'elsewhere');
      const wrong = { ...next, id: ids.next(), key: null, keyForMs: 5 };
      await expectProblem(await post('enqueue', message(wrong), token), 400, 'INVALID_OPTION', 'tasks[0].keyForMs');
      expect(await server().store.broker.getTasks([elsewhere.id, wrong.id])).toEqual([null, null]);
    });

    test('reads results of the tasks that its task waited for, and no others', async () => {
      const { queue, worker, enqueue, claim, call, outcome, post } = world;
      const parent = await enqueue({ queue: `${queue}.parents` });
      const child = await enqueue({ dependsOn: [parent] });
      const stranger = await enqueue({ delay: '1h' });
      const [first] = await claim(1, { queues: { [`${queue}.parents`]: 1 } });
      await outcome({ lease: first!.lease, outcome: 'done', ranMs: 1, result: { bytes: 7 } });
      const [{ lease }] = (await claim(2)) as [Claimed];
      expect(lease.id).toBe(child);
      const asks = { worker: worker.id, lease, ids: [parent] };
      expect(await call('parents', asks)).toMatchObject({
        parents: [{ id: parent, name: 'py.resize', state: 'succeeded', hasResult: true, result: { bytes: 7 } }],
      });
      await expectProblem(await post('parents', { ...asks, ids: [stranger] }), 400, 'INVALID_OPTION', 'did not wait');
      const { token } = await server().newKey();
      await expectProblem(await post('parents', asks, token), 409, 'LEASE_LOST');
      await expectProblem(await post('parents', { ...asks, worker: 'another' }), 409, 'LEASE_LOST');
      await outcome({ lease, outcome: 'released' });
      await expectProblem(await post('parents', asks), 409, 'LEASE_LOST');
    });
  });

  describe('a claim that waits', () => {
    test('is answered as soon as there is a task', async () => {
      const waiting = world.claim(1, { waitMs: 20_000 });
      const id = await world.enqueue();
      expect(await waiting).toMatchObject([{ id }]);
    });

    test('is answered with nothing when its time is over', async () => {
      expect(await world.claim(1, { waitMs: 100 })).toEqual([]);
    });

    test('of somebody who is gone takes nothing', async () => {
      const { queue, worker, token, claim, enqueue } = world;
      const { hints } = server().context.remote;
      const before = hints.waiting;
      const gone = new AbortController();
      const { token: key } = await server().newKey();
      const waiting = fetch(`${server().url}/api/v1/worker/claim`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ worker: worker.id, token: token(1), queues: { [queue]: 1 }, waitMs: 20_000 }),
        signal: gone.signal,
      });
      await waitFor(() => expect(hints.waiting).toBe(before + 1));
      gone.abort();
      await expect(waiting).rejects.toThrow();
      await waitFor(() => expect(hints.waiting).toBe(before));
      const id = await enqueue();
      expect(await claim(2)).toMatchObject([{ id }]);
    });

    test('a worker that listens hears that a run is to be cancelled', async () => {
      const { worker, person, enqueue, claimOne, call } = world;
      const { hints } = server().context.remote;
      const id = await enqueue();
      await claimOne();
      const before = hints.waiting;
      const listening = call('listen', { worker: worker.id, waitMs: 20_000 });
      await waitFor(() => expect(hints.waiting).toBe(before + 1));
      await person(`/tasks/${id}/cancel`, {});
      expect(await listening).toEqual({ cancel: [id], commands: false });
    });
  });

  describe('a lease of somebody else', () => {
    test('renews nothing and settles nothing, whoever knows its words, and says so with a code', async () => {
      const { worker, token, enqueue, claimOne, call, post, outcome, get } = world;
      const id = await enqueue();
      const { lease } = await claimOne();
      const { token: key } = await server().newKey({ label: 'mallory' });
      const mallory = async (verb: string, body: unknown): Promise<Body> => json(await post(verb, body, key));
      const done = { lease, outcome: 'done', ranMs: 1 };
      expect(await mallory('heartbeat', { worker, beats: [{ lease }] })).toMatchObject({ answers: ['lost'] });
      expect(await mallory('outcome', { worker: worker.id, outcomes: [done] })).toMatchObject({
        results: [{ result: 'stale', code: 'LEASE_LOST' }],
      });
      expect(await call('outcome', { worker: 'py-other', outcomes: [done] })).toMatchObject({
        results: [{ result: 'stale', code: 'LEASE_LOST' }],
      });
      expect(await mallory('claim', { worker: worker.id, token: token(1), queues: {}, limit: 5 })).toEqual({
        tasks: [],
      });
      for (const wrong of [{ epoch: lease.epoch + 1 }, { token: 'another-token' }])
        expect(await outcome({ ...done, lease: { ...lease, ...wrong } })).toEqual(['stale']);
      const unknown = { ...done, lease: { ...lease, id: '01M5VJ1JKVEAEA4M5KQDB7PFVC' } };
      expect(await call('outcome', { worker: worker.id, outcomes: [unknown] })).toMatchObject({
        results: [{ result: 'unknown', code: 'TASK_NOT_FOUND' }],
      });
      expect(await get(id)).toMatchObject({ state: 'running' });
      expect(await outcome(done)).toEqual(['applied']);
    });

    test('a key for some queues claims, spawns and publishes for those alone', async () => {
      const { token: key } = await server().newKey({ queues: ['mail.*', 'exact'] });
      const post = (verb: string, body: unknown) => world.post(verb, body, key);
      const asks = (queue: string) => ({ worker: 'm', token: `claim-of-${queue}`, queues: { [queue]: 1 } });
      for (const queue of ['mail.in', 'mail.', 'exact']) expect((await post('claim', asks(queue))).status).toBe(200);
      for (const queue of ['default', 'mail', 'exact.not', 'xmail.in'])
        await expectProblem(await post('claim', asks(queue)), 403, 'QUEUE_FORBIDDEN', queue);
      const definitions = [{ name: 'email.welcome', queue: 'default' }];
      await expectProblem(await post('register', { worker: { id: 'm' }, definitions }), 403, 'QUEUE_FORBIDDEN');
      const id = await world.enqueue({ queue: 'mail.in' });
      const claimed = await json(await post('claim', { ...asks('mail.in'), token: 'claim-of-mail-2' }));
      const [{ lease }] = claimed.tasks as [Claimed];
      const spawn = [{ ...completeTask(server().context.ids.next()), queue: 'default' }];
      const outcomes = [{ lease, outcome: 'done', ranMs: 1, spawn }];
      await expectProblem(await post('outcome', { worker: 'm', outcomes }), 403, 'QUEUE_FORBIDDEN', 'default');
      expect(await world.get(id)).toMatchObject({ state: 'running' });
      expect(await json(await post('outcome', { worker: 'm', outcomes: [{ lease, outcome: 'done' }] }))).toMatchObject({
        results: [{ result: 'applied' }],
      });
    });

    test('a key that is not for work is refused, and one that was revoked', async () => {
      const { worker, post } = world;
      const { token: reader } = await server().newKey({ scopes: ['read'] });
      await expectProblem(await post('register', { worker }, reader), 403, 'SCOPE_MISSING', 'work');
      const { token, key } = await server().newKey();
      expect((await post('register', { worker }, token)).status).toBe(200);
      await server().store.access?.keys.revoke(key.id);
      await waitFor(async () => expect((await post('heartbeat', { worker }, token)).status).toBe(401));
    });

    test('the limit of a queue holds for workers over HTTP', async () => {
      const { queue, person, enqueue, claim, outcome } = world;
      await enqueue();
      await enqueue();
      expect((await person(`/queues/${queue}/limit`, { max: 1 })).status).toBe(200);
      const [first, ...others] = await claim(1);
      expect(others).toEqual([]);
      expect(await claim(2)).toEqual([]);
      await outcome({ lease: first!.lease, outcome: 'done', ranMs: 1 });
      expect(await claim(3)).toHaveLength(1);
    });
  });

  describe('a message that is wrong', () => {
    test.each([
      ['claim', { worker: 'py-1', token: 'short', queues: {} }, 'token'],
      ['claim', { worker: 'py-1', token: 'long-enough', queues: { default: -1 } }, 'queues.default'],
      ['claim', { worker: 'py-1', token: 'long-enough', queues: {}, waitMs: 1e9 }, 'waitMs'],
      ['claim', { worker: 'py-1', token: 'long-enough', queus: {} }, 'queus'],
      ['heartbeat', { worker: { id: '' } }, 'worker.id'],
      [
        'heartbeat',
        { worker: { id: 'w' }, beats: [{ lease: { id: 'x', token: 't', epoch: 1 } }] },
        'beats[0].lease.id',
      ],
      ['outcome', { worker: 'w', outcomes: [{ lease: {}, outcome: 'done' }] }, 'outcomes[0].lease.id'],
      ['outcome', { worker: 'w', outcomes: [{ outcome: 'finished' }] }, 'outcomes[0]'],
      ['register', { worker: { id: 'w' }, definitions: [{ name: 'a b' }] }, 'definitions[0].name'],
      ['register', { worker: { id: 'w' }, definitions: [{ name: 'a', key: '{unclosed' }] }, 'definitions[0].key'],
      ['parents', { worker: 'w', lease: { id: 'x', token: 't', epoch: 1 }, ids: [] }, 'ids'],
    ])('%s %j is refused with its place', async (verb, body, place) => {
      const problem = await expectProblem(await world.post(verb, body), 400, 'INVALID_OPTION');
      expect(JSON.stringify(problem)).toContain(place);
      expect(server().reported).toEqual([]);
    });

    test('a task told of twice in one message is refused, and nothing of it is done', async () => {
      const { worker, enqueue, claimOne, post, get } = world;
      const id = await enqueue();
      const { lease } = await claimOne();
      const twice = { worker: worker.id, outcomes: [1, 2].map((result) => ({ lease, outcome: 'done', result })) };
      await expectProblem(await post('outcome', twice), 400, 'INVALID_OPTION', 'twice');
      expect(await get(id)).toMatchObject({ state: 'running' });
    });

    test('more steps than a task may remember are refused, and the beat with them', async () => {
      const { worker, enqueue, claimOne, call, post } = world;
      await enqueue();
      const { lease } = await claimOne();
      const steps = (count: number, from: number) =>
        Array.from({ length: count }, (_, at) => ({ name: `step ${from + at}`, value: at }));
      await call('heartbeat', { worker, beats: [{ lease, steps: steps(400, 0) }] });
      const beat = (more: readonly object[]) => post('heartbeat', { worker, beats: [{ lease, steps: more }] });
      await expectProblem(await beat(steps(200, 400)), 422, 'STEP_TOO_LARGE');
      await expectProblem(await beat([{ name: 'x', value: 'y'.repeat(300_000) }]), 422, 'STEP_TOO_LARGE');
    });

    test('a handler that logs without end is cut short', async () => {
      const { worker, enqueue, claimOne, call } = world;
      const id = await enqueue();
      const { lease } = await claimOne();
      const logs = Array.from({ length: 600 }, (_, at) => ({ message: `line ${at}` }));
      for (let round = 0; round < 3; round++) await call('heartbeat', { worker, beats: [{ lease, logs }] });
      await waitFor(async () => {
        const kept = await server().store.history.task(id);
        expect(kept?.logs).toHaveLength(1_000);
        expect(kept?.logs.at(-1)?.message).toContain('Only 1000 lines');
      });
    });
  });

  // The last: nobody waits at this server from then on.
  test('claims that wait end when the server stops', async () => {
    const { hints } = server().context.remote;
    const before = hints.waiting;
    const waiting = world.claim(1, { waitMs: 20_000 });
    await waitFor(() => expect(hints.waiting).toBe(before + 1));
    hints.end();
    expect(await waiting).toEqual([]);
  });
});
