/** Flows as people write them, run by the real worker on the real store. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { seededChance } from '../core/chance.ts';
import { definitionsIn } from '../core/collect.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../history/history.ts';
import { createDriver, type Driver } from '../testing/driver.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { openTestStore } from '../testing/stores.ts';
import { makeClient } from './client.ts';
import { replaceDefaultClient } from './default-client.ts';
import { task } from './define.ts';
import { flow } from './flow.ts';

/** What the handlers do, and what was told to them. */
let broken = new Set<string | number>();
let told: unknown[] = [];
let running = 0;
let runningMax = 0;

const probe = task('video.probe', {
  input: z.object({ id: z.string() }),
  retry: 1,
  run: async ({ id }) => {
    told.push('probe');
    if (broken.has('probe')) throw new Error('no such file');
    return { src: `s3://raw/${id}`, heights: [1080, 720, 360] };
  },
});
const encode = task('video.encode', {
  input: z.object({ src: z.string(), height: z.int() }),
  queue: 'gpu',
  retry: 1,
  run: async ({ height }) => {
    told.push(height);
    running += 1;
    runningMax = Math.max(running, runningMax);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (broken.has(height)) throw new Error('no codec');
    return { url: `https://cdn.test/${height}.mp4`, height };
  },
});
const thumbs = task('video.thumbs', {
  input: z.object({ src: z.string() }),
  run: async () => ({ urls: ['https://cdn.test/1.jpg'] }),
});
const publish = task('video.row', {
  input: z.object({ files: z.array(z.url()), cover: z.url() }),
  run: async () => {
    told.push('publish');
    return { ok: true as const };
  },
});
const refund = task('video.refund', {
  input: z.object({ id: z.string(), why: z.string() }),
  run: async (input) => void told.push(input),
});

const base = { input: z.object({ id: z.string(), plan: z.enum(['free', 'pro']).default('pro') }), retry: 1 };
const publishVideo = flow('video.publish', base)
  .step('probe', probe)
  .from(({ flow: { id } }) => ({ id }))
  .step('encode', encode, { needs: ['probe'], limit: 2 })
  .forEach((results) =>
    results.probe.heights
      .filter((height) => results.flow.plan === 'pro' || height <= 720)
      .map((height) => ({ src: results.probe.src, height })),
  )
  .step('thumbs', thumbs, { needs: ['probe'] })
  .from((results) => ({ src: results.probe.src }))
  .step('publish', publish, { needs: ['encode', 'thumbs'] })
  .from((results) => ({ files: results.encode.map(({ url }) => url), cover: results.thumbs.urls[0] ?? '' }))
  .onFailure(refund, ({ flow: { id }, failed, error }) => ({ id, why: `${failed}: ${error.message}` }));

const numbers = task('numbers', {
  input: z.object({ n: z.number(), size: z.number() }),
  run: ({ n, size }) => `${n}`.padEnd(size),
});
const spread = flow('spread', { input: z.object({ count: z.number(), size: z.number().default(1) }), retry: 1 })
  .step('many', numbers)
  .forEach(({ flow: { count, size } }) => Array.from({ length: count }, (_, n) => ({ n, size })))
  .step('last', numbers, { needs: ['many'] })
  .from(({ many }) => ({ n: many.length, size: 1 }));
const wrong = flow('wrong', { input: z.object({ id: z.any() }), retry: 1 })
  .step('probe', probe)
  .from(({ flow: { id } }) => ({ id }) as { id: string });

const clock = createManualClock(Date.UTC(2026, 0, 1));
let store: Store;
let driver: Driver;

beforeEach(async () => {
  [broken, told, running, runningMax] = [new Set(), [], 0, 0];
  const chance = seededChance(3);
  store = await openTestStore('memory', clock.now, chance);
  const definitions = definitionsIn([{ publishVideo, spread, wrong }]);
  driver = createDriver({ store, clock, chance, definitions, onNewTask: () => {} });
  replaceDefaultClient(makeClient({ open: async () => store, clock, chance }));
});
afterEach(async () => {
  replaceDefaultClient(null);
  await driver.close();
  await store.close();
});

const drain = (): Promise<void> => driver.drain(10_000);
const idsOf = async (query: string): Promise<readonly string[]> =>
  (await store.history.search(parseFilter(query), { after: null, limit: 1_000 })).tasks.map(({ id }) => id);

describe('a flow', () => {
  test('runs its steps in the order of their needs, and gives their results', async () => {
    const run = await publishVideo.enqueue({ id: 'v1', plan: 'free' });
    await drain();
    expect(await run.result()).toEqual({
      probe: { src: 's3://raw/v1', heights: [1080, 720, 360] },
      encode: [
        { url: 'https://cdn.test/720.mp4', height: 720 },
        { url: 'https://cdn.test/360.mp4', height: 360 },
      ],
      thumbs: { urls: ['https://cdn.test/1.jpg'] },
      publish: { ok: true },
    });
    expect(told).toEqual(['probe', 720, 360, 'publish']);
  });

  test('runs no more tasks of a step at once than its limit', async () => {
    await publishVideo.enqueue({ id: 'v1' });
    await drain();
    expect(runningMax).toBe(2);
  });

  test('fails with the step that failed, after what stands beside it has ended and the task for that has run', async () => {
    broken.add(720);
    const run = await publishVideo.enqueue({ id: 'v1' });
    await drain();
    const message = expect.stringContaining('Step encode failed: no codec');
    await expect(run.result()).rejects.toMatchObject({ code: 'TASK_FAILED', message });
    expect(told).toEqual(['probe', 1080, 720, 360, { id: 'v1', why: 'encode: no codec' }]);
  });

  test('passes its input through the schema, and the tasks of its steps through theirs', async () => {
    await expect(publishVideo.enqueue({ id: 3 } as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const run = await wrong.enqueue({ id: 7 });
    await drain();
    await expect(run.result()).rejects.toThrow(/Step probe failed: The input of step probe is refused: .*video.probe/);
  });

  test('of a list without inputs goes on', async () => {
    const run = await spread.enqueue({ count: 0 });
    await drain();
    expect(await run.result()).toEqual({ many: [], last: '0' });
  });

  test('gives results that are too large for one task', async () => {
    const run = await spread.enqueue({ count: 40, size: 10_000 });
    await drain();
    const { many } = await run.result();
    expect([many.length, many[39]?.length, many[39]?.trim()]).toEqual([40, 10_000, '39']);
  });

  test('takes a list of 1,000 inputs, and refuses one more with the path', async () => {
    const run = await spread.enqueue({ count: limits.batchMax });
    await drain();
    expect((await run.result()).last).toBe('1000'.padEnd(1));
    const more = await spread.enqueue({ count: limits.batchMax + 1 });
    await drain();
    await expect(more.result()).rejects.toThrow('steps.many: forEach gives 1001 inputs, at most 1000 are allowed');
  });

  test('is one flow in the record', async () => {
    const run = await publishVideo.enqueue({ id: 'v1', plan: 'free' });
    await drain();
    expect(await idsOf(`flow:${run.id}`)).toHaveLength(1 + 4 + 5);
  });
});

describe('a retry of a flow', () => {
  test('keeps what succeeded and runs the rest again', async () => {
    broken.add(720);
    const run = await publishVideo.enqueue({ id: 'v1' });
    await drain();
    [broken, told] = [new Set(), []];
    await store.broker.retry([run.id]);
    await drain();
    expect((await run.result()).publish).toEqual({ ok: true });
    expect(told).toEqual([1080, 720, 360, 'publish']);
  });

  test('of what failed alone, together with the flow, runs nothing else again', async () => {
    broken.add(720);
    const run = await publishVideo.enqueue({ id: 'v1' });
    await drain();
    [broken, told] = [new Set(), []];
    await store.broker.retry(await idsOf(`flow:${run.id} state:failed,cancelled`));
    await drain();
    expect((await run.result()).encode).toHaveLength(3);
    expect(told).toEqual([720, 'publish']);
  });
});

describe('a cancelled flow', () => {
  test('ends with all that waits, and nothing comes after', async () => {
    const run = await publishVideo.enqueue({ id: 'v1' });
    await driver.tick();
    expect(await run.cancel('wrong film')).toBe('cancelled');
    await drain();
    expect(await run.state()).toBe('cancelled');
    expect(told).toEqual([]);
  });
});

describe('the definition of a flow', () => {
  const empty = flow('f', { input: z.object({}) });
  const keyed = task('keyed', { input: z.object({ id: z.string() }), key: '{id}', run: () => 1 });

  test.each<[string, () => unknown, string]>([
    ['a step twice', () => publishVideo.step('probe', probe), 'steps.probe: there is a step of this name already'],
    [
      'an unknown step',
      () => publishVideo.step('x', probe, { needs: ['prob' as 'probe'] }),
      'steps.x.needs[0]: there is no step "prob" before it. Did you mean probe?',
    ],
    ['the name of the input', () => empty.step('flow', probe), 'steps.flow: "flow" is the input of the flow'],
    ['a slash', () => empty.step('a/b', probe), 'steps.a/b: the name of a step has no slash'],
    ['no task', () => empty.step('x', {} as never), 'steps.x is not valid: a task is needed'],
    ['a task with a key', () => empty.step('x', keyed), 'steps.x is not valid: keyed has a key'],
    ['a limit of 0', () => empty.step('x', probe, { limit: 0 }), 'steps.x.limit is not valid: a whole number'],
    ['an option typo', () => flow('f', { input: z.object({}), quue: 'x' } as never), 'quue'],
    ['no function', () => empty.step('x', probe).from(3 as never), 'a function that makes its input is needed'],
  ])('refuses %s', (_what, define, message) => {
    expect(define).toThrow(message);
  });

  test('refuses more steps than begin in one call', () => {
    let long = flow('long', { input: z.object({}) }) as unknown as typeof spread;
    const add = (index: number): void => {
      long = long.step(`s${index}`, numbers).from(() => ({ n: 1, size: 1 })) as unknown as typeof spread;
    };
    for (let index = 0; index < limits.flowStepsMax; index += 1) add(index);
    expect(() => add(limits.flowStepsMax)).toThrow(`a flow has at most ${limits.flowStepsMax} steps`);
  });
});
