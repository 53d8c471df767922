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
