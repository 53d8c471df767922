/** Pages of what has a name: each begins with the name the one before has told. */

import { limits } from '../core/limits.ts';
import type { NamesInput } from './schemas.ts';

/** One page, and the name the next one begins with. One more than shown is read: so the last page says that it is the last. */
export async function pageOf<Record extends { readonly name: string }>(
  { from, limit = limits.pageMax - 1 }: NamesInput,
  read: (from: string | null, limit: number) => Promise<readonly Record[]>,
): Promise<{ readonly records: readonly Record[]; readonly next: string | null }> {
  const records = await read(from ?? null, limit + 1);
  return { records: records.slice(0, limit), next: records[limit]?.name ?? null };
}
