// Searching: SQL finds what the pure evaluator finds, page by page, whatever the filter.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awaited, newTask, sampleId, startAt, storedTask } from '../../test/conformance/samples.ts';
import type { Broker } from '../broker/broker.ts';
import { migrate } from '../broker/sql/migrate.ts';
import { createSqlBroker } from '../broker/sql/sql-broker.ts';
import { createSqliteDriver, type SqliteDriver } from '../broker/sqlite/driver.ts';
import { systemChance } from '../core/chance.ts';
import { matches } from '../core/filter-match.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { limits } from '../core/limits.ts';
import { encodePolicy, policyOf } from '../core/policy.ts';
import { preview } from '../core/preview.ts';
import { reasons, taskStates } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { systemClock } from '../core/time.ts';
import type { TaskSummary } from './history.ts';
import type { SearchLimits } from './search.ts';
import { createSqlHistory } from './sql-history.ts';

const hourMs = 3_600_000;
const now = startAt + 10 * hourMs;

async function openMemory(): Promise<{ driver: SqliteDriver; broker: Broker }> {
  const driver = createSqliteDriver({ file: ':memory:', clock: systemClock, chance: systemChance, now: () => now });
  const broker = createSqlBroker({
    driver,
    chance: systemChance,
    kind: 'sqlite',
    open: async () => {
      await driver.open();
      await migrate(driver, systemChance);
    },
    close: async () => driver.close(),
    durability: driver.durability,
  });
  await broker.open();
  return { driver, broker };
}

const words = ['a', 'ab', 'ab.c', 'b', 'B', 'mail.send', 'ÄÖ', 'x%_\\y', '01', '😀é', '5', 'null', 'e*'] as const;
const word = fc.constantFrom(...words);
const maybe = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: null });
const time = fc.integer({ min: startAt, max: now });

/** Small documents with everything that is read differently: numbers, words, lists, fields that look like positions. */
const scalar = fc.constantFrom<unknown>(
  'a',
  'ab',
  'pro',
  'null',
  '5',
  '',
  'x%_\\y',
  '😀é',
  5,
  5.5,
  -1,
  0,
  1e21,
  1e-7,
  0.1 + 0.2,
  123456789012,
  true,
  false,
  null,
);
const { document } = fc.letrec<{ document: unknown; value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, tie('document')),
  document: fc.oneof(
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '0', '1', 'x"y', 'ü', '[0]', '$', 'length'), tie('value'), { maxKeys: 4 }),
  ),
}));

const task: fc.Arbitrary<Task> = fc
  .record({
    name: word,
    queue: word,
    state: fc.constantFrom(...taskStates),
    reason: maybe(fc.constantFrom(...reasons)),
    attempt: fc.nat(4),
    priority: fc.nat(9),
    workerId: maybe(word),
    tags: fc.array(word, { maxLength: 2 }),
    key: maybe(word),
    flowId: maybe(word),
    error: maybe(
      fc.record({
        message: fc.constantFrom('Boom AB', 'x%_\\Y', 'ÄÖ ab', '', 'a\nb'),
        fingerprint: fc.constantFrom('00ff', '00fe', 'ab12', 'abab12cd'),
      }),
    ),
    createdAt: time,
    dueAt: time,
    claimedAt: maybe(time),
    startedAt: maybe(time),
    endAt: time,
    policy: fc.constantFrom(
      '{"attempts":5}',
      encodePolicy(policyOf({ redact: ['input.a', '**.0.b'] })),
      encodePolicy(policyOf({ redact: ['result.ü', 'input.*x'] })),
    ),
    payload: document,
    result: maybe(document),
  })
  .map(({ endAt, error, payload, result, state, ...rest }) => {
    const { delayMs: _d, at: _a, startWithinMs: _s, expiresInMs: _e, blocks: _b, ...body } = newTask('');
    const isFinished = state === 'succeeded' || state === 'failed' || state === 'cancelled';
    return {
      ...body,
      version: 1,
      epoch: 1,
      generation: 1,
      crashes: 0,
      interruptions: 0,
      snoozes: 0,
      leaseUntil: state === 'running' ? now : null,
      cancelRequestedAt: null,
      cancelReason: null,
      progress: null,
      checkpoints: [],
      startBy: null,
      expiresAt: null,
      ...rest,
      state,
      // A parent that never comes, or it would not stay blocked.
      dependsOn: state === 'blocked' ? [awaited] : [],
      error: error === null ? null : { name: 'Error', stack: null, ...error },
      payload: JSON.stringify(payload),
      result: result === null ? null : JSON.stringify(result),
      finishedAt: isFinished ? endAt : null,
      pruneAt: isFinished ? endAt + hourMs : null,
    };
  });

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
const wordValue = fc
  .tuple(fc.constantFrom(...words, ''), fc.boolean())
  .map(([text, star]) => `${quoted(text)}${star ? '*' : ''}`);
const numberValue = fc.constantFrom('0', '1', '2', '>1', '>=2', '<3', '<=0', '=1', '1..3', '2..', '..1');
const durationValue = fc.constantFrom('>1h', '>=90m', '<2h', '<=0s', '1h..5h', '2h..', '..3h');
const ago = fc.constantFrom('1h', '5h', '90m', '10h', '0s');
const day = fc.constantFrom(
  '2025-06-15',
  '2025-06-15T18:00Z',
  '2025-06-15T20:06:40Z',
  '2025-06-16',
  '2025-06-15T23:30:00.250Z',
);
const timeValue = fc.oneof(ago, day);
const createdValue = fc.oneof(
  timeValue,
  fc.tuple(fc.constantFrom('>', '>=', '<', '<=', '='), timeValue).map((both) => both.join('')),
  fc.tuple(day, day).map((both) => both.join('..')),
);
const scalarValue = fc.oneof(
  fc.constantFrom(
    'a',
    'ab',
    'pro',
    'null',
    'true',
    'false',
    '5',
    '5.0',
    '5.5',
    '"5"',
    '1e+21',
    '-1',
    '1*',
    '5*',
    'a*',
    'n*',
    '0*',
    '*',
    '""',
    '"x%_\\\\y"',
    '"😀"*',
  ),
  fc.constantFrom(
    '>1',
    '>=5',
    '<0',
    '<=5',
    '=5',
    '1..6',
    '5..',
    '..0',
    '>1e20',
    '"5"*',
    '0.30000000000000004',
    '0.3*',
    '1e-7',
  ),
);
const path = fc
  .array(fc.constantFrom('a', 'b', '0', '1', 'x"y', 'ü', '[0]', '$', 'length', '01'), { minLength: 1, maxLength: 3 })
  .map((steps) => steps.join('.').replace(/"/g, ''));

const listOf = (field: string, value: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.boolean(), fc.array(value, { minLength: 1, maxLength: 3 }))
    .map(([not, values]) => `${not ? '-' : ''}${field}:${values.join(',')}`);
const term = fc.oneof(
  listOf('state', fc.constantFrom(...taskStates, 'retrying', 'expired', 'quarantined')),
  ...['name', 'queue', 'worker', 'tag', 'key', 'flow', 'error'].map((field) => listOf(field, wordValue)),
  listOf('id', fc.constantFrom('01K8Q2M4ZJE0080000000000', '01K8Q2M4ZJE00800000000001', 'x', '0')),
  listOf('err', fc.constantFrom('00', '00ff', 'ab', 'zz', 'abab12cd')),
  listOf('since', timeValue),
  listOf('until', timeValue),
  listOf('created', createdValue),
  listOf('attempt', numberValue),
  listOf('priority', numberValue),
  listOf('took', durationValue),
  listOf('waited', durationValue),
  path.chain((steps) => listOf(`input.${steps}`, scalarValue)),
  path.chain((steps) => listOf(`output.${steps}`, scalarValue)),
  wordValue,
  fc.constantFrom('01k8q2m4zje008o', '-mail.send', 'ab*'),
);
const filterText = fc.array(term, { maxLength: 3 }).map((terms) => terms.join(' '));

async function searchAll(
  history: ReturnType<typeof createSqlHistory>,
  text: string,
  limit: number,
): Promise<{ tasks: TaskSummary[]; stops: number }> {
  const tasks: TaskSummary[] = [];
  let stops = 0;
  for (let after: string | null = null; ; ) {
    const page = await history.search(parseFilter(text), { after, limit });
    expect(page.tasks.length).toBeLessThanOrEqual(limit);
    tasks.push(...page.tasks);
    if (page.scanned === 'newest') stops += 1;
    if (page.next === null) return { tasks, stops };
    expect(after === null || page.next < after).toBe(true);
    after = page.next;
  }
}

const small: SearchLimits = {
  pageMax: 100,
  scanMax: 12,
  scanChunkMax: 5,
  scanChunkMs: 10,
  searchMs: 2_000,
  searchLooksMax: 3,
  searchWaysMax: 3,
  searchListMax: 6,
};

describe('search', () => {
  test('finds what the pure evaluator finds, newest first, over any pages', { timeout: 120_000 }, async () => {
    let looks = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(task, { minLength: 1, maxLength: 40 }),
        fc.array(filterText, { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 7 }),
        async (rows, filters, limit) => {
          const { driver, broker } = await openMemory();
          const tasks = rows.map((row, index) => ({ ...row, id: sampleId(index * 7) }));
          await broker.restore(tasks);
          const wide = createSqlHistory(driver, systemClock);
          const narrow = createSqlHistory(driver, systemClock, { searchLimits: small });
          for (const text of filters) {
            const filter = parseFilter(text);
            const wanted = tasks
              .filter((row) => matches(filter, row, now))
              .map(({ id }) => id)
              .reverse();
            looks += wanted.length;
            expect(
              (await searchAll(wide, text, limit)).tasks.map(({ id }) => id),
              text,
            ).toEqual(wanted);
            expect(
              (await searchAll(narrow, text, limit)).tasks.map(({ id }) => id),
              text,
            ).toEqual(wanted);
          }
          await broker.close();
        },
      ),
      { numRuns: 60 },
    );
    expect(looks).toBeGreaterThan(0);
  });

  test('says where it stopped and goes on from there', async () => {
    const { driver, broker } = await openMemory();
    const rows = Array.from({ length: 40 }, (_, index) =>
      storedTask(sampleId(index), { queue: index === 3 ? 'rare' : 'q' }),
    );
    await broker.restore(rows);
    const history = createSqlHistory(driver, systemClock, { searchLimits: small });
    const first = await history.search(parseFilter('queue:rare'), { after: null, limit: 5 });
    expect(first).toEqual({ tasks: [], next: sampleId(28), scanned: 'newest' });
    const { tasks, stops } = await searchAll(history, 'queue:rare', 5);
    expect([tasks.map(({ id }) => id), stops]).toEqual([[sampleId(3)], 3]);
    expect(
      (await createSqlHistory(driver, systemClock).search(parseFilter('queue:rare'), { after: null, limit: 5 }))
        .scanned,
    ).toBe('all');
    await broker.close();
  });

  test('ends in time, and still gets somewhere', async () => {
    const { driver, broker } = await openMemory();
    await broker.restore(Array.from({ length: 40 }, (_, index) => storedTask(sampleId(index))));
    let elapsed = 0;
    const slow = { elapsed: () => (elapsed += 1_500) };
    const page = await createSqlHistory(driver, slow, {
      searchLimits: { ...small, scanMax: 1_000, searchLooksMax: 1_000 },
    }).search(parseFilter('worker:none'), {
      after: null,
      limit: 5,
    });
    expect(page.scanned).toBe('newest');
    expect(page.next! < sampleId(39)).toBe(true);
    await broker.close();
  });

  test('gives the process its turn during a long scan', async () => {
    const { driver, broker } = await openMemory();
    await broker.restore(Array.from({ length: 1_000 }, (_, index) => storedTask(sampleId(index))));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    await createSqlHistory(driver, systemClock, {
      searchLimits: { ...small, scanMax: 100_000, searchLooksMax: 1_000 },
    }).search(parseFilter('worker:none'), {
      after: null,
      limit: 5,
    });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    await broker.close();
  });

  test('shows the beginning of the input, and neither result nor checkpoints', async () => {
    const { driver, broker } = await openMemory();
    const payloads = [
      JSON.stringify({ text: 'ä😀\n'.repeat(300_000) }),
      '{"a":1}',
      JSON.stringify('x'.repeat(479)),
      JSON.stringify('😀'.repeat(250)),
    ];
    for (const [index, payload] of payloads.entries()) {
      await broker.restore([storedTask(sampleId(index), { payload, checkpoints: [{ name: 'a', value: '1' }] })]);
    }
    const { tasks } = await createSqlHistory(driver, systemClock).search(parseFilter(''), { after: null, limit: 10 });
    expect(tasks.map((each) => each.preview).reverse()).toEqual(payloads.map((payload) => preview(payload)));
    for (const summary of tasks)
      expect(Object.keys(summary)).not.toEqual(expect.arrayContaining(['payload', 'result', 'checkpoints']));
    await broker.close();
  });

  test.each([
    ['a size of none', { after: null, limit: 0 }],
    ['a size beyond the limit', { after: null, limit: limits.pageMax + 1 }],
    ['half a size', { after: null, limit: 1.5 }],
    ['a cursor of somebody else', { after: 'eyJpZCI6MX0=', limit: 10 }],
  ])('refuses %s', async (_what, page) => {
    const { driver, broker } = await openMemory();
    await expect(createSqlHistory(driver, systemClock).search(parseFilter(''), page)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await broker.close();
  });
});
