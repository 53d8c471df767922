/** Checks which runs get a process of their own, and who is refused at start; the processes themselves are tested as such. */
import { expect, test } from 'vitest';
import { createDefinition, createWorkerRig } from '../../test/support/worker-rig.ts';

const isolated = { ...createDefinition('apart', () => 1), isolate: 'process' as const };

test('a task that asks for a process and whose file nobody knows is refused when the worker is made', () => {
  expect(() => createWorkerRig({}, { definitions: [isolated], modules: {} })).toThrow(
    expect.objectContaining({ code: 'ISOLATION_NEEDS_FILE', message: expect.stringContaining('apart') }),
  );
});

test('where processes are not wanted at all it runs in the worker', async () => {
  const rig = createWorkerRig({}, { definitions: [isolated] });
  const [id = ''] = await rig.enqueue({ name: 'apart' });
  rig.worker.start();
  await rig.clock.advance(1);
  expect((await rig.task(id)).state).toBe('succeeded');
  await rig.worker.stop();
});

test('a task that has crashed runs in the worker when its file is not known, and its log says so', async () => {
  const logged: string[] = [];
  const rig = createWorkerRig({ a: () => 1 }, { modules: {} });
  const [id = ''] = await rig.enqueue({});
  const [fresh] = await rig.memory.getTasks([id]);
  await rig.memory.cancel({ taskIds: [id], reason: null });
  await rig.memory.remove([id]);
  if (fresh != null) await rig.memory.restore([{ ...fresh, crashes: 1 }]);
  const { settle } = rig.store.broker;
  rig.store.broker.settle = (settlements, next) => {
    logged.push(...settlements.flatMap(({ logs }) => logs.map(({ message }) => message)));
    return settle(settlements, next);
  };
  rig.worker.start();
  await rig.clock.advance(1);
  expect(await rig.task(id)).toMatchObject({ state: 'succeeded', crashes: 1 });
  expect(logged).toEqual([expect.stringContaining('its file is not known')]);
  await rig.worker.stop();
});
