/** Holds that what is hidden of tasks is in no answer of any operation, no page, no live message and no row of the audit. */

import { afterEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { encodePolicy, policyOf } from '../../src/core/policy.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { type Operation, perform } from '../../src/operations/operation.ts';
import { operations } from '../../src/operations/registry.ts';
import { operationSamples } from '../support/operation-samples.ts';
import { createOperationWorld, type OperationWorld, type OperationWorldOptions } from '../support/operation-world.ts';

const canary = 'C4NARY-of-a-hidden-field';
const input = { card: { number: canary, month: 5 }, items: [{ token: canary }], to: 'ada' };
const payload = JSON.stringify(input);
const paths = ['input.card.number', '**.token'];
const said = `refused ${canary}, "${canary}"`;

let world: OperationWorld;
afterEach(() => world.close());

const all = Object.values(operations) as unknown as readonly Operation<unknown, unknown>[];
const samples = operationSamples as Readonly<
  Record<string, (world: OperationWorld) => readonly unknown[] | Promise<readonly unknown[]>>
>;
/** Who runs a task gets its input, and who asks to see it sees it. */
const tellsAll = ['worker.claim', 'worker.outcome', 'task.reveal'];
const told = all.filter(({ name }) => !tellsAll.includes(name));

const byServer: OperationWorldOptions = { redact: paths, task: { payload }, said };
const byTask: OperationWorldOptions = { task: { payload, policy: encodePolicy(policyOf({ redact: paths })) }, said };
const ways = [
  ['by the paths of the server', byServer],
  ['by the paths of the task', byTask],
] as const;

async function answersOf(operation: Operation<unknown, unknown>): Promise<string> {
  const answers: unknown[] = [];
  for (const one of (await samples[operation.name]?.(world)) ?? [])
    answers.push(await perform(operation, world.context, one).catch((error: unknown) => String(error)));
  return JSON.stringify(answers);
}

describe.each(ways)('what is hidden %s', (_way, options) => {
  test('is in no answer of what only reads', async () => {
    world = await createOperationWorld(options);
    for (const operation of told.filter(({ rest }) => rest.method === 'GET'))
      expect([operation.name, (await answersOf(operation)).includes(canary)]).toEqual([operation.name, false]);
  });

  test.each(told.filter(({ rest }) => rest.method !== 'GET'))('is in no answer of $name', async (operation) => {
    world = await createOperationWorld(options);
    expect(await answersOf(operation)).not.toContain(canary);
    expect(JSON.stringify(await perform(operations['audit.list'], world.context, {}))).not.toContain(canary);
  });

  test('is shown to nobody but who asks for it, which is written down', async () => {
    world = await createOperationWorld(options);
    const id = world.tasks.running;
    expect(await perform(operations['task.get'], world.context, { id })).toMatchObject({
      input: { card: { number: '[redacted]', month: 5 }, items: [{ token: '[redacted]' }], to: 'ada' },
      progress: { note: 'refused [redacted], "[redacted]"' },
    });
    const revealed = await perform(operations['task.reveal'], world.context, { id });
    expect(revealed).toMatchObject({ input, progress: { note: said } });
    const { rows: entries } = await perform(operations['audit.list'], world.context, {});
    expect(entries).toMatchObject([{ text: `looked at what is hidden of ${id}`, outcome: 'done' }]);
    expect(JSON.stringify(entries)).not.toContain(canary);
  });

  test('is what a worker over HTTP gets', async () => {
    world = await createOperationWorld(options);
    expect(await answersOf(operations['worker.claim'] as Operation<unknown, unknown>)).toContain(canary);
  });

  test('is no value to search by', async () => {
    world = await createOperationWorld(options);
    const { context } = world;
    const found = (q: string) =>
      perform(operations['task.list'], context, { q }).then(
        ({ tasks }) => tasks.length,
        (error: { code: string }) => error.code,
      );
    const wanted = options.redact === undefined ? 0 : 'REDACTED_FIELD';
    expect(await found(`input.card.number:${canary}`)).toBe(wanted);
    expect(await found(`-input.card.number:${canary}`)).toBe(wanted);
    expect(await found(`input.card.number:x`)).toBe(wanted);
    expect(await found('input.to:ada')).toBeGreaterThan(2);
    const bulk = { verb: 'cancel', q: `input.card.number:${canary}`, dryRun: true } as const;
    const counted = await perform(operations['operation.create'], context, bulk).catch((error: unknown) => error);
    expect(counted).toMatchObject(options.redact === undefined ? { matched: 0 } : { code: 'REDACTED_FIELD' });
  });

  test('is on the page of an admin who asks for it with the form of that, and on no other', async () => {
    world = await createOperationWorld(options);
    const fetch = createApp({
      context: world.context,
      pages: createPages({ version: '0.0.0' }),
      report: () => undefined,
    });
    const address = `http://127.0.0.1:8000/tasks/${world.tasks.running}`;
    const asked = (site: string) =>
      fetch(
        new Request(`${address}/reveal`, {
          method: 'POST',
          headers: { 'sec-fetch-site': site, 'content-type': 'application/x-www-form-urlencoded' },
        }),
      );
    expect(await (await fetch(new Request(address))).text()).toContain(`/tasks/${world.tasks.running}/reveal"`);
    expect((await asked('cross-site')).status).toBe(403);
    expect(await perform(operations['audit.list'], world.context, {})).toMatchObject({ rows: [] });
    const answer = await asked('same-origin');
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const page = await answer.text();
    expect(page).toContain(canary);
    // It would load what is shown to everybody, over what was asked for.
    expect(page).not.toContain('<tf-live');
    const { rows } = await perform(operations['audit.list'], world.context, {});
    expect(rows).toMatchObject([{ operation: 'task.reveal', outcome: 'done' }]);
    const again = await fetch(new Request(`${address}/reveal`));
    expect([again.status, again.headers.get('location')]).toEqual([303, `../../tasks/${world.tasks.running}`]);
  });

  test('is not offered to an operator', async () => {
    world = await createOperationWorld(options);
    const context = { ...world.context, actor: { name: 'bob', role: 'operator' } as const };
    const fetch = createApp({ context, pages: createPages({ version: '0.0.0' }), report: () => undefined });
    const address = `http://127.0.0.1:8000/tasks/${world.tasks.running}`;
    expect(await (await fetch(new Request(address))).text()).not.toContain('/reveal"');
    const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await fetch(new Request(`${address}/reveal`, { method: 'POST', headers }));
    expect([answer.status, (await answer.text()).includes(canary)]).toEqual([403, false]);
  });

  test('is on no page', async () => {
    world = await createOperationWorld(options);
    const fetch = createApp({
      context: world.context,
      pages: createPages({ version: '0.0.0' }),
      report: () => undefined,
    });
    const paths = [
      '/',
      '/tasks',
      '/schedules',
      '/schedules/nightly',
      ...Object.values(world.tasks).map((id) => `/tasks/${id}`),
    ];
    for (const path of paths) {
      const answer = await fetch(new Request(`http://127.0.0.1:8000${path}`));
      expect([path, answer.status]).toEqual([path, 200]);
      const text = await answer.text();
      expect([path, text.includes(canary)]).toEqual([path, false]);
    }
  });
});

describe('the mask', () => {
  test.each([
    ['task.enqueue', { name: 'mail.send', input: { card: { number: '[redacted]' } } }],
    ['task.enqueue-many', { tasks: [{ name: 'mail.send', input: { items: [{ token: '[redacted]' }] } }] }],
    [
      'task.enqueue-many',
      { tasks: [{ name: 'mail.send' }, { name: 'mail.send', input: { card: { number: '[redacted]' } } }] },
    ],
  ] as const)('is no value for %s', async (name, sent) => {
    world = await createOperationWorld(byServer);
    await expect(perform(operations[name] as Operation<unknown, unknown>, world.context, sent)).rejects.toMatchObject({
      code: 'REDACTED_VALUE',
    });
  });

  test('is a value like any other where nothing is hidden', async () => {
    world = await createOperationWorld(byServer);
    const sent = { name: 'mail.send', input: { note: '[redacted]' } };
    expect(await perform(operations['task.enqueue'], world.context, sent)).toMatchObject({ created: true });
  });

  test('is not what a schedule that is run now, or a task that is retried, works on', async () => {
    world = await createOperationWorld(byServer);
    const { context, broker, tasks } = world;
    const { taskId } = await perform(operations['schedule.run'], context, { name: 'nightly' });
    await perform(operations['task.retry'], context, { id: tasks.failed });
    await perform(operations['task.update'], context, { id: tasks.queued, priority: 'high', tags: ['a'] });
    const stored = await broker.getTasks([tasks.failed, tasks.queued, taskId ?? 'none']);
    expect(stored.map((one) => one?.payload)).toEqual(stored.map(() => payload));
    expect(stored).toHaveLength(3);
  });
});

test('what a worker over HTTP says is stored without what is hidden', async () => {
  world = await createOperationWorld({ redact: paths });
  const { context } = world;
  await world.enqueue({ name: 'py.resize', queue: 'py', payload });
  const worker = { id: 'py-1', queues: { py: 1 } };
  const definitions = [{ name: 'py.resize', queue: 'py' }];
  await perform(operations['worker.register'], context, { worker, definitions });
  const token = 'c'.repeat(32);
  const claim = { worker: 'py-1', token, queues: { py: 1 } };
  const { tasks } = await perform(operations['worker.claim'], context, claim);
  const [claimed] = tasks;
  expect(claimed).toMatchObject({ input });
  const lease = claimed?.lease ?? { id: '', token: '', epoch: 0 };
  const logs = [{ level: 'info' as const, message: said, fields: { said } }];
  await perform(operations['worker.heartbeat'], context, {
    worker,
    beats: [{ lease, progress: { done: 1, total: null, note: said }, logs }],
  });
  const error = { name: 'Error', message: said, stack: `at ${said}` };
  await perform(operations['worker.outcome'], context, {
    worker: 'py-1',
    outcomes: [{ lease, outcome: 'giveUp', error, logs }],
  });
  const record = await world.context.unredacted.history.task(lease.id);
  expect(record?.task).toMatchObject({
    state: 'failed',
    payload,
    error: { message: 'refused [redacted], "[redacted]"' },
  });
  const { payload: _payload, ...rest } = record?.task ?? {};
  expect(JSON.stringify([{ ...record, task: rest }])).not.toContain(canary);
});

test('a worker over HTTP that asks for a result it waited for gets all of it', async () => {
  world = await createOperationWorld({ redact: ['result.bytes'] });
  const { context } = world;
  const [asked = { worker: '', lease: { id: '', token: '', epoch: 0 }, ids: [] }] =
    await operationSamples['worker.parents'](world);
  const { parents } = await perform(operations['worker.parents'], context, asked);
  expect(parents).toMatchObject([{ state: 'succeeded', result: { bytes: 7 } }]);
  const [id = ''] = asked.ids;
  expect(await perform(operations['task.get'], context, { id })).toMatchObject({ result: { bytes: '[redacted]' } });
});
