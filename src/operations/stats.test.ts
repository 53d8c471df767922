/** Tests that the pages of what ended have all of it together, however much one minute has. */
import { expect, test } from 'vitest';
import type { Minute, Range } from '../history/history.ts';
import type { OperationContext } from './operation.ts';
import type { StatsInput } from './schemas.ts';
import { statsTimeline } from './stats.ts';

const minuteMs = 60_000;
const now = 1_000 * minuteMs + 30_000;

/** Rows of a minute: each of a queue of its own, the last one of `last`. */
function minuteOf(minute: number, rows: number): readonly Minute[] {
  const numbers = { succeeded: 1, failed: 0, cancelled: 0, retried: 0, waitMs: 5, runMs: 7 };
  return Array.from({ length: rows }, (_, index) => ({
    ...{ at: minute * minuteMs, name: 'mail', ...numbers },
    queue: index === rows - 1 ? 'last' : `q${index}`,
  }));
}

/** How many rows each page has, until there is none behind it. */
async function pagesOf(rows: readonly Minute[], input: StatsInput): Promise<readonly number[]> {
  const minutes = async ({ from, to, limit = 100_000 }: Range & { readonly limit?: number }) =>
    rows.filter(({ at }) => at >= from && at < to).slice(0, limit);
  const store = { broker: { info: async () => ({ now }) }, history: { minutes } };
  const pages: number[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const asked = { minutes: 10, ...input, ...(after !== undefined && { after }) };
    const page = await statsTimeline.run({ store } as unknown as OperationContext, asked);
    pages.push(page.rows.length);
    after = page.next;
  }
  return pages;
}

const rows = [...minuteOf(992, 3), ...minuteOf(993, 6_000), ...minuteOf(995, 6_000), ...minuteOf(1_000, 5_200)];
const sum = (pages: readonly number[]): number => pages.reduce((all, page) => all + page, 0);

test('a minute that has more rows than are read at once is told whole', async () => {
  const pages = await pagesOf(rows, { limit: 100 });
  expect(sum(pages)).toBe(rows.length);
  expect(pages.filter((page) => page > 100)).toEqual([6_000, 6_000, 5_200]);
});

test('a filter finds what stands at the end of such a minute', async () => {
  expect(sum(await pagesOf(rows, { limit: 100, queue: 'last' }))).toBe(4);
  expect(sum(await pagesOf(rows, { limit: 100, name: 'mail' }))).toBe(rows.length);
});
