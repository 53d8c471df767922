/** Tests what people and autoscalers look at, on every store: definitions, numbers of a queue, what ended and what waited. */

import { describe, expect, test } from 'vitest';
import type { Definition } from '../../src/core/presence.ts';
import { definitionGet, definitionList } from '../../src/operations/definition.ts';
import { queueGet, queuePause } from '../../src/operations/queue.ts';
import { queueScale } from '../../src/operations/queue-scale.ts';
import { statsDepth, statsTimeline } from '../../src/operations/stats.ts';
import { heartbeatRequest, presence } from '../conformance/samples.ts';
import { type OperationRig, onEachStore } from '../support/operation-stores.ts';
import { waitFor } from '../support/wait-for.ts';

const mail: Definition = {
  name: 'mail.send',
  description: 'Sends one mail',
  queue: 'mail',
  inputSchema: { type: 'object', properties: { to: { type: 'string' } } },
  schemaVersion: 'v2',
  policy: '{"attempts":3}',
  timeoutMs: null,
  key: null,
  keyForMs: null,
  ifExists: 'return',
  group: null,
  file: 'tasks/mail.ts',
};

async function beat({ store }: OperationRig, workerId: string, definitions: readonly Definition[]): Promise<void> {
  const worker = presence({ workerId, name: workerId, definitions, queues: { default: 4 }, concurrency: 4 });
  await store.broker.heartbeat(heartbeatRequest([], { worker }));
}

await onEachStore((open) => {
  test('a definition is told as the newest worker has it, with the versions that differ', async () => {
    const rig = await open();
    await beat(rig, 'old', [{ ...mail, schemaVersion: 'v1', inputSchema: null }]);
    await waitFor(async () => {
      const before = await rig.store.broker.info();
      const old = (await rig.store.broker.getWorkers()).find(({ workerId }) => workerId === 'old');
      expect(before.now).toBeGreaterThan(old?.startedAt ?? Infinity);
    });
    await beat(rig, 'new', [mail, { ...mail, name: 'text.stats' }]);
    expect(await rig.ask(definitionGet, { name: 'mail.send' }, 'viewer')).toMatchObject({
      schemaVersion: 'v2',
      inputSchema: mail.inputSchema,
      policy: { attempts: 3, backoff: 'exponential' },
      workers: 2,
      versions: [
        { version: 'v2', workers: ['new'] },
        { version: 'v1', workers: ['old'] },
      ],
      mismatch: true,
    });
    const first = await rig.ask(definitionList, { limit: 1 });
    expect([first.definitions.map(({ name }) => name), first.next]).toEqual([['mail.send'], 'text.stats']);
    expect(await rig.ask(definitionList, { from: first.next })).toMatchObject({
      definitions: [{ name: 'text.stats', mismatch: false }],
      next: null,
    });
    await expect(rig.ask(definitionGet, { name: 'mail.sent' })).rejects.toMatchObject({
      code: 'DEFINITION_NOT_FOUND',
      hint: 'Did you mean mail.send?',
    });
  });

  describe('a queue', () => {
    test('tells an autoscaler how many workers it is worth', async () => {
      const rig = await open();
      expect(await rig.ask(queueScale, { name: 'default', slots: 4 })).toMatchObject({ waiting: 0, wantedWorkers: 0 });
      for (let each = 0; each < 9; each += 1) await rig.enqueue('mail.send');
      await rig.claim(1);
      expect(await rig.ask(queueScale, { name: 'default', slots: '2' })).toMatchObject({
        waiting: 8,
        running: 1,
        workers: 0,
        wantedWorkers: 5,
      });
      await beat(rig, 'one', []);
      expect(await rig.ask(queueScale, { name: 'default' })).toMatchObject({ slots: 4, workers: 1, wantedWorkers: 3 });
      await rig.store.broker.configure('queue', 'default', { max: 2 });
      expect(await rig.ask(queueScale, { name: 'default', slots: 1 })).toMatchObject({ wantedWorkers: 2 });
      await rig.ask(queuePause, { name: 'default' });
      expect(await rig.ask(queueScale, { name: 'default' })).toMatchObject({ wantedWorkers: 1 });
    });

    test('is shown alone, and is not there when nothing knows it', async () => {
      const rig = await open();
      await rig.enqueue('mail.send');
      expect(await rig.ask(queueGet, { name: 'default' })).toMatchObject({ name: 'default', waiting: 1 });
      await expect(rig.ask(queueGet, { name: 'defaults' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    });
  });

  test('what ended is told by minute, queue and task', async () => {
    const rig = await open();
    await rig.enqueue('mail.send');
    await rig.enqueue('text.stats');
    await rig.end('succeeded', { limit: 1 });
    await rig.end('failed');
    await rig.enqueue('mail.send');
    await rig.recorded();
    const seen = await waitFor(async () => {
      const { rows, next } = await rig.ask(statsTimeline, { minutes: '10' });
      expect(rows).toHaveLength(2);
      expect(next).toBeNull();
      return rows;
    });
    expect(seen.map(({ name, succeeded, failed, cancelled }) => [name, succeeded, failed, cancelled]).sort()).toEqual([
      ['mail.send', 1, 0, 0],
      ['text.stats', 0, 1, 0],
    ]);
    expect(seen.every(({ meanRunMs, meanWaitMs }) => meanRunMs === 10 && (meanWaitMs ?? -1) >= 0)).toBe(true);
    expect((await rig.ask(statsTimeline, { name: 'mail.send' })).rows).toHaveLength(1);
    expect((await rig.ask(statsTimeline, { queue: 'other' })).rows).toEqual([]);
    const hours = await rig.ask(statsTimeline, { step: 'hour', minutes: '129600' });
    expect(hours.rows.map(({ at, name }) => [at.slice(14), name]).sort()).toEqual([
      ['00:00.000Z', 'mail.send'],
      ['00:00.000Z', 'text.stats'],
    ]);
    await expect(rig.ask(statsTimeline, { minutes: '129600' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('add step=hour'),
    });
  });

  test('a look back goes on where a page ended, minute by minute', async () => {
    const rig = await open();
    const minute = Math.floor((await rig.store.broker.info()).now / 60_000) * 60_000;
    const sample = { queue: 'default', waiting: 1, running: 0, slots: 4, workers: 1 };
    for (const ago of [3, 2, 1]) {
      const at = minute - ago * 60_000;
      await rig.store.history.sample([
        { ...sample, at },
        { ...sample, at, queue: 'mail' },
      ]);
    }
    const pages: number[] = [];
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof statsDepth.run>> = await rig.ask(statsDepth, {
        minutes: 10,
        limit: 3,
        ...(after !== null && { after }),
      });
      pages.push(page.rows.filter(({ at }) => Date.parse(at) < minute).length);
      after = page.next;
    } while (after !== null);
    expect(pages.reduce((sum, count) => sum + count, 0)).toBe(6);
    expect(Math.max(...pages)).toBeLessThanOrEqual(3);
    await expect(rig.ask(statsDepth, { after: '2020-01-01' })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
