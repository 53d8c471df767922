/** A file of sales that is the same on every machine, and the sums over it. */

import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Amounts are cents: a sum of a hundred thousand floating-point prices is wrong in the last digits. */
export interface SalesSums {
  readonly rows: number;
  /** Lines that are not a sale. */
  readonly skipped: number;
  readonly cents: number;
  /** By month (`2026-03`) and product. */
  readonly months: ReadonlyMap<string, number>;
  readonly products: ReadonlyMap<string, number>;
}

const header = 'date,product,quantity,unit_price';
/** Product and price in cents. */
const catalogue = [
  ['Notebook', 450],
  ['Pencil', 120],
  ['Lamp', 3_900],
  ['Desk', 24_900],
  ['Chair', 17_900],
  ['Shelf', 8_900],
  ['Clock', 2_490],
  ['Bag', 5_900],
] as const;
const daysInMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
/** Lines handed on at once: a line at a time would spend its time in the stream. */
const linesPerChunk = 1_000;

/** The lines of the file, header first: the same for the same number of rows. */
export function* salesLines(rows: number): Generator<string> {
  yield header;
  // A linear congruential generator: enough to look uneven, and the same everywhere.
  let state = 20_260_101;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  for (let row = 0; row < rows; row++) {
    const month = below(12);
    const day = below(daysInMonth[month] ?? 28) + 1;
    const [product, cents] = catalogue[below(catalogue.length)] ?? catalogue[0];
    const date = `2026-${String(month + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    yield `${date},${product},${below(5) + 1},${(cents / 100).toFixed(2)}`;
  }
}

/** Writes the file beside its place and then moves it there: a run that is cancelled leaves no half of it. */
export async function writeSales(file: string, rows: number, signal: AbortSignal): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await pipeline(Readable.from(chunksOf(salesLines(rows))), createWriteStream(unfinished), { signal });
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Sums up a file of sales; `onRow` is told after each line that is one. Reads line by line, whatever its size. */
export async function sumSales(file: string, signal: AbortSignal, onRow: (rows: number) => void): Promise<SalesSums> {
  const months = new Map<string, number>();
  const products = new Map<string, number>();
  let [rows, skipped, total] = [0, 0, 0];
  const lines = createInterface({ input: createReadStream(file, { encoding: 'utf8', signal }), crlfDelay: Infinity });
  for await (const line of lines) {
    if (line === header || line === '') continue;
    const sale = parseSale(line);
    if (sale === null) {
      skipped++;
      continue;
    }
    rows++;
    total += sale.cents;
    months.set(sale.month, (months.get(sale.month) ?? 0) + sale.cents);
    products.set(sale.product, (products.get(sale.product) ?? 0) + sale.cents);
    onRow(rows);
  }
  return { rows, skipped, cents: total, months, products };
}

/** One line as month, product and amount; `null` when it is not a sale. */
export function parseSale(
  line: string,
): { readonly month: string; readonly product: string; readonly cents: number } | null {
  const [date = '', product = '', quantity = '', price = '', ...more] = line.split(',');
  const right =
    more.length === 0 &&
    /^\d{4}-\d\d-\d\d$/.test(date) &&
    product !== '' &&
    /^\d{1,6}$/.test(quantity) &&
    /^\d{1,9}\.\d\d$/.test(price);
  if (!right) return null;
  return { month: date.slice(0, 7), product, cents: Number(quantity) * Number(price.replace('.', '')) };
}

/** `{ '2026-01': 1234.5, … }`, ordered by name, in units of money. */
export function inUnits(sums: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  const sorted = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, cents]) => [name, cents / 100]));
}

function* chunksOf(lines: Iterable<string>): Generator<string> {
  let chunk: string[] = [];
  for (const line of lines) {
    chunk.push(line);
    if (chunk.length < linesPerChunk) continue;
    yield `${chunk.join('\n')}\n`;
    chunk = [];
  }
  if (chunk.length > 0) yield `${chunk.join('\n')}\n`;
}
