/** Revenue by month and product from a CSV of sales, which is made on first use. */

import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fatal, task } from 'taskflowjs';
import { z } from 'zod';
import { inUnits, sumSales, writeSales } from '../lib/sales.ts';
import { pathProblem } from '../lib/walk.ts';

/** Rows between two reports of progress. */
const step = 5_000;

export const reportSales = task('report.sales', {
  description: 'Revenue by month and product',
  input: z.object({
    /** A CSV with date, product, quantity and unit price; without it one is made in the folder for temporary files. */
    path: z.string().min(1).optional(),
    /** Rows of the file that is made. */
    rows: z.int().min(100_000).max(5_000_000).default(120_000),
  }),
  timeout: '10m',

  async run({ path, rows }, ctx) {
    const file = path ?? join(tmpdir(), `taskflow-sales-${rows}.csv`);
    if (path === undefined && !(await exists(file))) {
      ctx.log.info('making the file', { file, rows });
      ctx.progress(0, rows, 'making the file');
      await writeSales(file, rows, ctx.signal);
    }
    const expected = path === undefined ? rows : undefined;
    const sums = await sumSales(file, ctx.signal, (row) => {
      if (row % step === 0) ctx.progress(row, expected, 'adding up');
    }).catch((error: unknown) => {
      const problem = pathProblem(error, file);
      throw problem === null ? error : fatal(problem, { cause: error });
    });
    if (sums.rows === 0) throw fatal(`${file} holds no sales: a line is date,product,quantity,unit_price.`);
    if (sums.skipped > 0) ctx.log.warn('left out lines that are not sales', { lines: sums.skipped });
    return {
      file,
      rows: sums.rows,
      skipped: sums.skipped,
      revenue: sums.cents / 100,
      byMonth: inUnits(sums.months),
      byProduct: inUnits(sums.products),
    };
  },
});

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
