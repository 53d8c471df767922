/** Tasks that wait for others, and runs that bring tasks along, as people write them. */

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { type TestKit, testKit } from '../testing/test-kit.ts';
import { task } from './define.ts';

const input = z.object({ n: z.number() });
const page = task('page', { input, retry: 1, run: ({ n }) => ({ text: `page ${n}` }) });
const bind = task('bind', {
  input: z.object({}),
  run: (_input, ctx) => ({
    pages: ctx.resultsOf(page).map(({ text }) => text),
    parents: ctx.parents.map(({ name, state, error }) => [name, state, error?.message ?? null]),
  }),
});
let fails = false;
const book = task('book', {
  input: z.object({ pages: z.number() }),
  retry: { attempts: 2, delay: '1s', jitter: 'none' },
  run: async ({ pages }, ctx) => {
    const parts = await Promise.all(Array.from({ length: pages }, (_, n) => ctx.spawn(page, { n })));
    await ctx.spawn(bind, {}, { dependsOn: parts, tags: ['book'] });
    if (fails) throw new Error('out of paper');
    return parts.length;
  },
});
const wrong = task('wrong', {
  input: z.object({ how: z.string() }),
  run: async ({ how }, ctx) => {
    if (how === 'input') await ctx.spawn(page, { n: 'one' } as never);
    if (how === 'many') for (let n = 0; n <= limits.batchMax; n += 1) await ctx.spawn(page, { n });
    if (how === 'task') await ctx.spawn({ name: 'page' } as never, { n: 1 });
    const late = await ctx.spawn(page, { n: 1 });
    if (how === 'ring') await ctx.spawn(page, { n: 2 }, { dependsOn: [ring.last], blocks: [ring.first] });
    if (how === 'loop') await ctx.spawn(page, { n: 2 }, { dependsOn: [late], blocks: [late] });
  },
});

const ring = { first: '', last: '' };
const large = task('large', { input: z.object({ n: z.number() }), run: () => 'x'.repeat(250_000) });
const gather = task('gather', {
  input: z.object({}),
  run: (_input, ctx) => ctx.resultsOf(large).reduce((sum, { length }) => sum + length, 0),
});

async function withKit(show: (kit: TestKit) => Promise<void>): Promise<void> {
  fails = false;
  await using kit = await testKit({ tasks: [{ page, bind, book, wrong, large, gather }] });
  await show(kit);
}

describe('a task that waits for others', () => {
  test('runs when the last of them has succeeded, and is given what they returned', () =>
    withKit(async (kit) => {
      const pages = await page.enqueueMany([{ n: 1 }, { n: 2 }]);
      const bound = await bind.enqueue({}, { dependsOn: pages });
      expect(await bound.state()).toBe('blocked');
      await kit.drain();
      expect((await bound.result()).pages).toEqual(['page 1', 'page 2']);
    }));

  test('fails with the one that failed, names it, or goes on as it was told', () =>
    withKit(async (kit) => {
      kit.stub(page, { fail: new Error('torn') });
      const torn = await page.enqueue({ n: 1 });
      const [failing, cancelling, heedless] = [
        await bind.enqueue({}, { dependsOn: [torn.id] }),
        await bind.enqueue({}, { dependsOn: [{ task: torn, onFailure: 'cancel' }] }),
        await bind.enqueue({}, { dependsOn: [{ task: torn.id, onFailure: 'ignore' }] }),
      ];
      await kit.drain();
      await expect(failing.result()).rejects.toThrow(`It depends on page ${torn.id}, which failed.`);
      expect(await cancelling.state()).toBe('cancelled');
      expect((await heedless.result()).parents).toEqual([['page', 'failed', 'torn']]);
    }));

  test('is given results that were too much for its claim, and refused more than a run may hold', () =>
    withKit(async (kit) => {
      const parents = await large.enqueueMany(Array.from({ length: 70 }, (_, n) => ({ n })));
      const some = await gather.enqueue({}, { dependsOn: parents.slice(0, 50) });
      const all = await gather.enqueue({}, { dependsOn: parents });
      await kit.drain();
      expect(await some.result()).toBe(12_500_000);
      await expect(all.result()).rejects.toThrow('The results of the tasks it waited for are larger than');
      expect(kit.runs(gather).length).toBe(2);
    }));

  test('is refused for a task that does not exist, and harms no other enqueue at the same time', () =>
    withKit(async () => {
      const gone = '01K8Q2M4ZJE008000000000000';
      const [refused, stored] = await Promise.allSettled([
        bind.enqueue({}, { dependsOn: [gone] }),
        page.enqueue({ n: 1 }),
      ]);
      expect(refused).toMatchObject({ reason: { code: 'INVALID_FLOW', message: expect.stringContaining(gone) } });
      expect(stored.status).toBe('fulfilled');
    }));

  test.each([
    [['x'], 'INVALID_ID'],
    [[{ task: 'x', onFailure: 'ignore' }], 'INVALID_ID'],
    [[{ task: '01K8Q2M4ZJE008000000000000', onFailure: 'retry' }], 'INVALID_OPTION'],
    [[3], 'INVALID_OPTION'],
    ['01K8Q2M4ZJE008000000000000', 'INVALID_OPTION'],
  ])('is refused for %j as %s', (dependsOn, code) =>
    withKit(async () => {
      await expect(bind.enqueue({}, { dependsOn: dependsOn as never })).rejects.toMatchObject({ code });
    }),
  );
});

describe('a run that brings tasks along', () => {
  test('has them stored with its success, in their order', () =>
    withKit(async (kit) => {
      await book.enqueue({ pages: 3 });
      expect(await kit.drain()).toMatchObject({ succeeded: 5 });
      expect(kit.runs(bind)[0]?.output?.pages).toEqual(['page 0', 'page 1', 'page 2']);
    }));

  test('brings nothing along when it fails, and once when it then succeeds', () =>
    withKit(async (kit) => {
      fails = true;
      const run = await book.enqueue({ pages: 2 });
      await kit.drain();
      expect(kit.runs(page)).toEqual([]);
      fails = false;
      await kit.clock.advance('1s');
      await kit.drain();
      expect([await run.state(), kit.runs(page).length, kit.runs(bind).length]).toEqual(['succeeded', 2, 1]);
    }));

  test('fails at once when the store refuses what it brings along', () =>
    withKit(async (kit) => {
      const first = await page.enqueue({ n: 1 }, { delay: '1h' });
      ring.first = first.id;
      ring.last = (await page.enqueue({ n: 2 }, { dependsOn: [first] })).id;
      const run = await kit.execute(wrong, { how: 'ring' });
      expect([run.state, run.error?.message]).toEqual(['failed', expect.stringContaining('which would wait for it')]);
    }));

  test('fails alone: what ends at the same time is stored without a pause', () =>
    withKit(async (kit) => {
      const first = await page.enqueue({ n: 1 }, { delay: '1h' });
      ring.first = first.id;
      ring.last = (await page.enqueue({ n: 2 }, { dependsOn: [first] })).id;
      const runs = await wrong.enqueueMany([{ how: 'none' }, { how: 'ring' }, { how: 'none' }]);
      await kit.drain();
      expect(await Promise.all(runs.map((run) => run.state()))).toEqual(['succeeded', 'failed', 'succeeded']);
    }));

  test.each([
    ['input', /The input of page is not valid/],
    ['many', /at most 1000 tasks; this one has 1001/],
    ['task', /a task, as task\(\) or contract\(\) makes it/],
    ['loop', /wait for each other/],
  ])('fails for a wrong %s, and brings nothing along', (how, message) =>
    withKit(async (kit) => {
      const run = await kit.execute(wrong, { how });
      expect([run.state, run.error?.message]).toEqual(['failed', expect.stringMatching(message)]);
      expect(kit.runs(page)).toEqual([]);
    }),
  );
});
