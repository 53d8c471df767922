/** How full the disk is that a database in a file is on. */

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Disk } from '../history/history.ts';

/** As much of it as may be written by this process; `null` where the file system does not say. */
export async function diskOf(file: string): Promise<Disk | null> {
  try {
    const { bavail, bfree, blocks, bsize } = await statfs(dirname(file));
    // What is kept back for the root user is neither free nor used.
    const totalBytes = (blocks - bfree + bavail) * bsize;
    return totalBytes > 0 ? { freeBytes: bavail * bsize, totalBytes } : null;
  } catch {
    // A network or a sandbox may refuse: the store itself says what is wrong with it.
    return null;
  }
}
