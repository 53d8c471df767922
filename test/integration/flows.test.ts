/** Tests what people see of tasks that wait for others: over HTTP and on pages. */

import { beforeEach, expect, test } from 'vitest';
import { expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

const body = { name: 'text.stats', input: { path: '.' } };
const gone = '01K8Q2M4ZJE008000000000000';

async function enqueued(more: object = {}): Promise<string> {
  return String((await json(await server.post('/api/v1/tasks', { ...body, ...more }))).id);
}

async function shown(id: string): Promise<Record<string, unknown>> {
  return json(await server.get(`/api/v1/tasks/${id}`));
}

test('a task names the parents it waits for, and they name it', async () => {
  const parent = await enqueued({ delay: '1h' });
  const id = await enqueued({ dependsOn: [{ task: parent, onFailure: 'ignore' }] });
  expect(await shown(id)).toMatchObject({
    state: 'blocked',
    flow: null,
    parents: [{ id: parent, name: 'text.stats', state: 'scheduled', holdsBack: true }],
    parentsLeft: 1,
    children: [],
  });
  expect(await shown(parent)).toMatchObject({ parents: [], children: [{ id, name: 'text.stats', state: 'blocked' }] });
});

test('a task is let go by the cancellation of a parent whose failure it ignores', async () => {
  const parent = await enqueued();
  const id = await enqueued({ dependsOn: [{ task: parent, onFailure: 'ignore' }] });
  await server.post(`/api/v1/tasks/${parent}/cancel`, {});
  expect(await shown(id)).toMatchObject({ state: 'queued', parents: [{ id: parent, holdsBack: false }] });
});

test.each<[unknown, string]>([
  [[gone], 'INVALID_FLOW'],
  [['not an id'], 'INVALID_ID'],
  [gone, 'INVALID_OPTION'],
  [[{ task: gone, onFailure: 'retry' }], 'INVALID_OPTION'],
])('dependsOn of %j is refused as %s', async (dependsOn, code) => {
  await expectProblem(await server.post('/api/v1/tasks', { ...body, dependsOn }), 400, code);
});

test('the page of a task links its parents and children', async () => {
  const parent = await enqueued({ delay: '1h' });
  const id = await enqueued({ dependsOn: [parent] });
  const [ofChild, ofParent] = [await server.get(`/tasks/${id}`), await server.get(`/tasks/${parent}`)];
  expect(await ofChild.text()).toMatch(new RegExp(`Waits for.*href="../tasks/${parent}"`));
  expect(await ofParent.text()).toMatch(new RegExp(`Waited for by.*href="../tasks/${id}"`));
});

test('the cancellation of a task that others of its flow belong to ends them too', async () => {
  const parent = await enqueued({ delay: '1h' });
  const root = await enqueued({ dependsOn: [parent] });
  const [task] = await server.store.broker.getTasks([parent]);
  const step = { ...task!, id: gone, flowId: root, delayMs: 0, at: null, startWithinMs: null, expiresInMs: null };
  await server.store.broker.enqueue([{ ...step, blocks: [] }]);
  await server.post(`/api/v1/tasks/${root}/cancel`, {});
  expect(await shown(gone)).toMatchObject({ state: 'cancelled', flow: root });
  expect(await shown(parent)).toMatchObject({ state: 'scheduled' });
});

/** Stores tasks of a flow as a worker would: one that stands for it, and steps that wait for each other. */
async function flowOf(steps: number): Promise<readonly string[]> {
  const [known] = await server.store.broker.getTasks([await enqueued({ delay: '1h' })]);
  const ids = await Promise.all(Array.from({ length: steps + 1 }, () => enqueued({ delay: '1h' })));
  await server.store.broker.cancel({ taskIds: ids, reason: null });
  await server.store.broker.remove(ids);
  const [flowId = ''] = ids;
  const times = { delayMs: 0, at: null, startWithinMs: null, expiresInMs: null };
  await server.store.broker.enqueue(
    ids.map((id, index) => {
      const dependsOn = index < 2 ? [] : [{ taskId: ids[index - 1] ?? '', onFailure: 'cancel' as const }];
      return { ...known!, ...times, id, flowId, dependsOn, blocks: [] };
    }),
  );
  return ids;
}

test('flows are listed newest first, page after page, and tasks of none are not', async () => {
  const [[first], [second]] = [await flowOf(1), await flowOf(1)];
  const page = await json(await server.get('/api/v1/flows?limit=1'));
  expect(page).toMatchObject({ flows: [{ id: second }], next: second });
  const rest = await json(await server.get(`/api/v1/flows?after=${second}`));
  expect(rest).toMatchObject({ flows: [{ id: first }], next: null });
});

test('a flow tells how many of its tasks are where, and what each waits for', async () => {
  const [id, one, two] = await flowOf(2);
  expect(await json(await server.get(`/api/v1/flows/${id}`))).toMatchObject({
    flow: { id, state: 'queued' },
    counts: { queued: 1, blocked: 1 },
    tasks: [
      { id: one, view: 'queued' },
      { id: two, view: 'blocked', waitsFor: expect.stringContaining('depends on text.stats') },
    ],
    more: false,
  });
});

test('a flow is cancelled with everything in it, and what is no flow is refused', async () => {
  const [id, one, two] = await flowOf(2);
  expect(await json(await server.post(`/api/v1/flows/${id}/cancel`, {}))).toEqual({ id, outcome: 'cancelled' });
  for (const taskId of [one ?? '', two ?? '']) expect(await shown(taskId)).toMatchObject({ state: 'cancelled' });
  for (const path of [`/api/v1/flows/${one}/cancel`, `/api/v1/flows/${await enqueued()}/cancel`])
    await expectProblem(await server.post(path, {}), 404, 'FLOW_NOT_FOUND');
});
