/** Tasks that book an order and end in the same transaction, and may die at a step; their database is named by the input. */

import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { task } from '../../../src/index.ts';

export type Fault =
  | 'none'
  | 'die before the commit'
  | 'die after the commit'
  | 'return without a commit'
  | 'throw after the commit';

const input = z.object({ file: z.string(), order: z.string(), fault: z.string() });

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

export const book = task('shop.book', {
  input,
  isolate: 'process',
  retry: { attempts: 3, delay: 10 },
  async run({ file, order, fault }, ctx) {
    const run = ctx.fencingToken;
    const isFirst = run === 1;
    const tx = new DatabaseSync(file, { timeout: 5_000 });
    tx.exec('BEGIN IMMEDIATE');
    tx.prepare('INSERT INTO bookings (order_id, run) VALUES (?, ?)').run(order, run);
    const result = await ctx.complete({ order, run }, { tx });
    if (isFirst && fault === 'die before the commit') die();
    if (isFirst && fault === 'return without a commit') tx.exec('ROLLBACK');
    else tx.exec('COMMIT');
    if (fault === 'die after the commit') die();
    tx.close();
    if (fault === 'throw after the commit') throw new Error('too late');
    return result;
  },
});
