/** Checksums of every file in a folder: progress, cancellation, bounded concurrency. */

import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { fatal, task } from 'taskflowjs';
import { z } from 'zod';
import { checksum, inParallel } from '../lib/checksum.ts';
import { pathProblem, walk } from '../lib/walk.ts';

/** Enough to keep a disk busy without starving the other tasks of the worker. */
const filesAtOnce = 4;
/** A result is for reading; the digest covers all of the files. */
const filesShown = 100;

export const filesChecksum = task('files.checksum', {
  description: 'SHA-256 of every file under a path',
  input: z.object({ path: z.string().min(1) }),
  timeout: '30m',

  async run({ path }, ctx) {
    const { root, files, symlinks, unreadable } = await walk(path, ctx.signal).catch((error: unknown) => {
      const problem = pathProblem(error, path);
      throw problem === null ? error : fatal(problem, { cause: error });
    });
    ctx.log.info('found', { root, files: files.length, symlinks, unreadable });

    let done = 0;
    const sums = await inParallel(files, filesAtOnce, async (file) => {
      const sum = await checksum(file, ctx.signal);
      ctx.progress(++done, files.length, relative(root, file));
      return { ...sum, file: relative(root, file) || file };
    });

    // The digest of what `sha256sum` prints: equal folders have equal digests, whatever they are called.
    const digest = createHash('sha256');
    for (const { file, sha256 } of sums) digest.update(`${sha256}  ${file}\n`);
    return {
      root,
      files: files.length,
      bytes: sums.reduce((total, sum) => total + sum.bytes, 0),
      digest: digest.digest('hex'),
      symlinks,
      unreadable,
      first: sums.slice(0, filesShown),
    };
  },
});
