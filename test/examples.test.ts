/** Tests the work the example tasks do, against files that are made for it. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checksum, inParallel } from '../examples/lib/checksum.ts';
import { countPrimes } from '../examples/lib/primes.ts';
import { inUnits, parseSale, salesLines, sumSales, writeSales } from '../examples/lib/sales.ts';
import { walk } from '../examples/lib/walk.ts';
import { addLine, noText, readingMinutes } from '../examples/lib/words.ts';
import { flaky, hello, order } from '../examples/tasks/demo.ts';
import { docsDigest } from '../examples/tasks/docs-digest.ts';
import { filesChecksum } from '../examples/tasks/files-checksum.ts';
import { httpCheck } from '../examples/tasks/http-check.ts';
import { reportSales } from '../examples/tasks/report-sales.ts';
import { textStatsTask } from '../examples/tasks/text-stats.ts';
import { type Context, definitionOf } from '../src/core/definition.ts';
import { isFatal } from '../src/core/verdicts.ts';
import { testKit } from '../src/testing/test-kit.ts';

const never = new AbortController().signal;
let folder = '';

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'taskflow-examples-')));
  await mkdir(join(folder, 'docs', 'deep'), { recursive: true });
  await writeFile(join(folder, 'docs', 'a.md'), '# One two\n\nIt’s a well-known fact.\n');
  await writeFile(join(folder, 'docs', 'deep', 'b.md'), 'vier fünf\n');
  await writeFile(join(folder, 'docs', 'c.bin'), new Uint8Array(100_000));
  await symlink(join(folder, 'docs'), join(folder, 'docs', 'circle'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a handler as a worker would, without one. */
async function runTask(task: unknown, input: unknown, options: { attempt?: number; signal?: AbortSignal } = {}) {
  const definition = definitionOf(task);
  const steps: [number, number | undefined][] = [];
  const silent = () => {};
  const context = {
    attempt: options.attempt ?? 1,
    signal: options.signal ?? never,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    progress: (done: number, total?: number) => void steps.push([done, total]),
  } as unknown as Context;
  const result: unknown = await definition?.run?.(await definition.parseInput(input), context);
  return { result, steps };
}

const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe('files.checksum', () => {
  test('sums every file once, follows no link and reports each step', async () => {
    const { result, steps } = await runTask(filesChecksum, { path: join(folder, 'docs') });
    const sha256 = createHash('sha256')
      .update(await readFile(join(folder, 'docs', 'a.md')))
      .digest('hex');
    expect(result).toMatchObject({
      files: 3,
      symlinks: 1,
      unreadable: 0,
      first: [{ file: 'a.md', sha256 }, { file: 'c.bin', bytes: 100_000 }, { file: join('deep', 'b.md') }],
    });
    expect(steps).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });

  test('gives up at once when there is nothing at the path', async () => {
    const error = await caught(runTask(filesChecksum, { path: join(folder, 'gone') }));
    expect(isFatal(error)).toBe(true);
    expect(String(error)).toContain('There is nothing at');
  });

  test('stops when its signal aborts', async () => {
    const stopped = AbortSignal.abort(new Error('cancelled by Ada'));
    await expect(runTask(filesChecksum, { path: folder }, { signal: stopped })).rejects.toThrow('cancelled by Ada');
    await expect(checksum(join(folder, 'docs', 'c.bin'), stopped)).rejects.toThrow();
    await expect(walk(folder, stopped)).rejects.toThrow('cancelled by Ada');
  });

  test('never works on more files at once than it may', async () => {
    let [now, most] = [0, 0];
    const results = await inParallel([...Array(50).keys()], 4, async (item) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      return item * 2;
    });
    expect(most).toBe(4);
    expect(results).toEqual([...Array(50).keys()].map((item) => item * 2));
  });
});

describe('text.stats', () => {
  test('counts the words of every text in a folder', async () => {
    const { result } = await runTask(textStatsTask, { path: join(folder, 'docs') });
    expect(result).toMatchObject({
      files: 2,
      words: 8,
      lines: 4,
      readingMinutes: 1,
      longest: [{ file: 'a.md', words: 6 }, { words: 2 }],
    });
  });

  test('says that a folder holds no text', async () => {
    await mkdir(join(folder, 'empty'), { recursive: true });
    expect(isFatal(await caught(runTask(textStatsTask, { path: join(folder, 'empty') })))).toBe(true);
  });

  test('counts words as people do', () => {
    expect(addLine(noText, "Don't panic: 42 is the well-known answer — naïve, 日本語.").words).toBe(9);
    expect(readingMinutes(noText)).toBe(0);
  });
});

describe('docs.digest', () => {
  test('counts every text of a folder in a task of its own, and adds them up', async () => {
    await using kit = await testKit({ tasks: [{ docsDigest }] });
    const run = await docsDigest.enqueue({ path: join(folder, 'docs') });
    await kit.drain();
    const { count, total } = await run.result();
    expect(count.map(({ words }) => words)).toEqual([6, 2]);
    expect(total).toMatchObject({ files: 2, words: 8, lines: 4, longest: 'a.md' });
  });

  test('says what it could not do', async () => {
    await using kit = await testKit({ tasks: [{ docsDigest }] });
    const run = await docsDigest.enqueue({ path: join(folder, 'nowhere') });
    await kit.drain();
    await expect(run.result()).rejects.toThrow(/Step list failed: There is nothing at/);
  });
});

describe('report.sales', () => {
  test('the file is the same every time', () => {
    const digest = (rows: number) =>
      createHash('sha256')
        .update([...salesLines(rows)].join('\n'))
        .digest('hex');
    expect(digest(1_000)).toBe(digest(1_000));
    expect([...salesLines(3)]).toHaveLength(4);
  });

  test('the sums by month and by product are the revenue', async () => {
    const file = join(folder, 'sales.csv');
    await writeSales(file, 20_000, never);
    const sums = await sumSales(file, never, () => {});
    const added = (parts: ReadonlyMap<string, number>) => [...parts.values()].reduce((total, part) => total + part, 0);
    expect(sums).toMatchObject({ rows: 20_000, skipped: 0 });
    expect([added(sums.months), added(sums.products)]).toEqual([sums.cents, sums.cents]);
    expect(Object.keys(inUnits(sums.months))).toHaveLength(12);
  });

  test('reads a file of 100,000 rows and more, makes it once, and leaves out what is no sale', async () => {
    const { result, steps } = await runTask(reportSales, { rows: 100_000 });
    expect(result).toMatchObject({ rows: 100_000, skipped: 0 });
    expect(steps.at(-1)).toEqual([100_000, 100_000]);
    const odd = join(folder, 'odd.csv');
    await writeFile(
      odd,
      'date,product,quantity,unit_price\n2026-01-02,Lamp,2,39.00\nnonsense\n2026-01-02,Lamp,x,39.00\r\n',
    );
    expect((await runTask(reportSales, { path: odd })).result).toMatchObject({ rows: 1, skipped: 2, revenue: 78 });
  });

  test.each(['', 'a,b,c,d', '2026-01-01,,1,1.00', '2026-01-01,Lamp,1,1', '2026-01-01,Lamp,1,1.00,x'])(
    '%j is no sale',
    (line) => {
      expect(parseSale(line)).toBeNull();
    },
  );
});

describe('http.check', () => {
  test('succeeds on success, fails on anything else, gives up on what is no address', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/slow') return;
      response.statusCode = request.url === '/ok' ? 200 : 503;
      response.end('x');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect((await runTask(httpCheck, { url: `${base}/ok` })).result).toMatchObject({ status: 200 });
      const refused = await caught(runTask(httpCheck, { url: `${base}/no` }));
      expect([String(refused), isFatal(refused)]).toEqual([expect.stringContaining('answered 503'), false]);
      await expect(runTask(httpCheck, { url: `${base}/slow`, timeout: 100 })).rejects.toThrow(
        'did not answer within 100 ms',
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
    for (const url of ['nonsense', 'ftp://example.com', 'javascript:alert(1)']) {
      expect(isFatal(await caught(runTask(httpCheck, { url })))).toBe(true);
    }
  });
});

test('demo.hello greets and demo.flaky succeeds after its failures', async () => {
  expect((await runTask(hello, { name: 'Ada' })).result).toEqual({ message: 'Hello Ada' });
  await expect(runTask(flaky, { failures: 2 }, { attempt: 2 })).rejects.toThrow('attempt 2');
  expect((await runTask(flaky, { failures: 2 }, { attempt: 3 })).result).toEqual({ attempts: 3 });
});

test('demo.order reserves and charges once, and sends when the service is open', async () => {
  const definition = definitionOf(order);
  const ran: string[] = [];
  const kept = new Map<string, unknown>();
  const attempt = async (attempt: number): Promise<unknown> =>
    definition?.run?.(await definition.parseInput({ failures: 1 }), {
      id: 'T'.repeat(26),
      attempt,
      log: { info: (message: string) => void ran.push(message) },
      async step(name: string, run: () => unknown) {
        if (!kept.has(name)) kept.set(name, await run());
        return kept.get(name);
      },
    } as unknown as Context);
  await expect(attempt(1)).rejects.toThrow('closed');
  expect(await attempt(2)).toEqual({ receipt: 'R-TTTTTT', attempts: 2 });
  expect(ran).toEqual(['reserving', 'charging', 'sent']);
});

test.each([
  [2, 0],
  [3, 1],
  [100, 25],
  [1_000_000, 78_498],
])('there are as many primes below %i as there are', (below, primes) => {
  expect(countPrimes(below)).toBe(primes);
});
