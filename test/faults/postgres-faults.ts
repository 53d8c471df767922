/** What is done to the backends of a Postgres, as its administrator may. */

import { Client } from 'pg';
import { expect } from 'vitest';
import { pass, type Run } from './run.ts';

const everyMs = 3_000;

/** Ends every connection to the database now, and every 3 s for so long; work goes on in between. */
export async function terminateBackends(
  { goesOn }: Pick<Run, 'goesOn'>,
  { url, ms }: { readonly url: string; readonly ms: number },
): Promise<void> {
  const admin = new Client({ connectionString: url });
  await admin.connect();
  try {
    const until = performance.now() + ms;
    for (let rounds = 0; rounds === 0 || performance.now() < until; rounds++) {
      if (rounds > 0) await pass(everyMs);
      const { rows } = await admin.query<{ ended: string }>(
        `SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      expect(Number(rows[0]?.ended)).toBeGreaterThan(0);
    }
    await goesOn();
  } finally {
    await admin.end();
  }
}
