/** Tests in a real browser what becomes of pages whose store goes away: they say so, and come back with it, by themselves. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { onChromium } from '../support/browser.ts';
import { token } from '../support/operation-stores.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

const patience = { timeout: 100_000 };

await onOwnRedis(async (redis) => {
  const open = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskflow-away-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const record = `sqlite:${join(folder, 'record.db')}`;
    return { store: connect(`${redis.url}?durability=any`, { store: record, namespace: token() }) };
  };
  await onChromium((rig) => {
    test('an open page says that nobody answers, and is live again with the store', { timeout: 240_000 }, async () => {
      await rig.server.post('/api/v1/tasks', { name: 'late.one' });
      const page = await rig.open('/tasks');
      await waitFor(() => expect(rig.server.followers).toBe(1), patience);
      await page.evaluate('globalThis.same = true');
      await redis.kill();
      await waitFor(async () => expect(await page.textContent('button.live')).toMatch(/^Reconnecting/), patience);
      expect(await page.locator('tbody tr').count()).toBe(1);
      await redis.restart();
      await waitFor(async () => expect(await page.textContent('button.live')).toBe('Live'), patience);
      expect(await page.evaluate('globalThis.same')).toBe(true);
      expect(page.faults).toEqual([]);
    });

    test('one that is asked for meanwhile says why, and turns into itself', { timeout: 240_000 }, async () => {
      const page = await rig.open('/schedules');
      await redis.kill();
      const answer = await page.goto(`${rig.url}/tasks`, { timeout: 100_000 });
      expect([answer?.status(), answer?.headers()['retry-after']]).toEqual([503, '3']);
      expect(await page.textContent('[role=alert]')).toMatch(/Trying again in 3 s/);
      await redis.restart();
      await page.waitForSelector('.filter', { timeout: 100_000 });
      expect(page.url()).toBe(`${rig.url}/tasks`);
      expect(page.faults).toEqual([]);
    });

    test('and so does a page without a script', { timeout: 240_000 }, async () => {
      const page = await rig.open('/schedules', { javaScriptEnabled: false });
      await redis.kill();
      expect((await page.goto(`${rig.url}/`, { timeout: 100_000 }))?.status()).toBe(503);
      await redis.restart();
      await page.waitForSelector('.numbers', { timeout: 100_000 });
    });
  }, open);
});
