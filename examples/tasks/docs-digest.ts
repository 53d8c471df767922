/** A flow: lists the texts of a folder, counts each in a task of its own, four at a time, and adds them up. */

import { extname, relative } from 'node:path';
import { fatal, flow, task } from 'taskflowjs';
import { z } from 'zod';
import { pathProblem, walk } from '../lib/walk.ts';
import { addStats, noText, readingMinutes, type TextStats, textStats } from '../lib/words.ts';

const markdown: ReadonlySet<string> = new Set(['.md', '.mdx', '.markdown', '.txt']);
/** A step has at most so many tasks. */
const filesMax = 1_000;
const stats = z.object({ lines: z.int(), words: z.int(), characters: z.int() });

const list = task('docs.list', {
  description: 'Lists the texts of a folder',
  input: z.object({ path: z.string().min(1) }),

  async run({ path }, ctx) {
    const { root, files } = await walk(path, ctx.signal).catch((error: unknown) => {
      const problem = pathProblem(error, path);
      throw problem === null ? error : fatal(problem, { cause: error });
    });
    const texts = files.filter((file) => markdown.has(extname(file).toLowerCase()));
    if (texts.length > filesMax)
      throw fatal(`There are ${texts.length} texts in ${path}; at most ${filesMax} are read.`);
    return { root, texts };
  },
});

const countWords = task('docs.count', {
  description: 'Counts the words of one file',
  input: z.object({ file: z.string() }),
  run: ({ file }, ctx) => textStats(file, ctx.signal),
});

const total = task('docs.total', {
  description: 'Adds up what was counted',
  input: z.object({ files: z.array(z.object({ file: z.string(), stats })) }),

  run({ files }) {
    const sum = files.reduce<TextStats>((so, each) => addStats(so, each.stats), noText);
    const [longest] = files.toSorted((a, b) => b.stats.words - a.stats.words);
    return { files: files.length, ...sum, readingMinutes: readingMinutes(sum), longest: longest?.file ?? null };
  },
});

const report = task('docs.excuse', {
  description: 'Tells in the log what the digest could not do',
  input: z.object({ path: z.string(), why: z.string() }),
  run: ({ path, why }, ctx) => ctx.log.warn(`no digest of ${path}`, { why }),
});

export const docsDigest = flow('docs.digest', {
  description: 'Words of every text of a folder, counted side by side',
  input: z.object({ path: z.string().min(1).default('./docs') }),
})
  .step('list', list)
  .from(({ flow: { path } }) => ({ path }))
  .step('count', countWords, { needs: ['list'], limit: 4 })
  .forEach((results) => results.list.texts.map((file) => ({ file })))
  .step('total', total, { needs: ['list', 'count'] })
  .from((results) => ({
    files: results.count.map((each, index) => ({
      file: relative(results.list.root, results.list.texts[index] ?? ''),
      stats: each,
    })),
  }))
  .onFailure(report, ({ flow: { path }, failed, error }) => ({ path, why: `${failed}: ${error.message}` }));
