/** Words, lines and reading time of a text, or of all the Markdown in a folder. */

import { extname, relative } from 'node:path';
import { fatal, task } from 'taskflowjs';
import { z } from 'zod';
import { pathProblem, walk } from '../lib/walk.ts';
import { addStats, noText, readingMinutes, type TextStats, textStats } from '../lib/words.ts';

const markdown: ReadonlySet<string> = new Set(['.md', '.mdx', '.markdown', '.txt']);
/** The longest texts, for the result. */
const filesShown = 20;

export const textStatsTask = task('text.stats', {
  description: 'Words, lines and reading time of a file or a folder of Markdown',
  input: z.object({ path: z.string().min(1) }),
  timeout: '5m',

  async run({ path }, ctx) {
    const { root, files } = await walk(path, ctx.signal).catch((error: unknown) => {
      const problem = pathProblem(error, path);
      throw problem === null ? error : fatal(problem, { cause: error });
    });
    const texts = files.filter((file) => file === root || markdown.has(extname(file).toLowerCase()));
    if (texts.length === 0)
      throw fatal(`There is no Markdown in ${path}: no file ends in ${[...markdown].join(', ')}.`);

    let total: TextStats = noText;
    const each: ({ readonly file: string } & TextStats)[] = [];
    for (const [index, file] of texts.entries()) {
      const stats = await textStats(file, ctx.signal);
      total = addStats(total, stats);
      each.push({ file: relative(root, file) || file, ...stats });
      ctx.progress(index + 1, texts.length, relative(root, file));
    }
    const longest = each.toSorted((a, b) => b.words - a.words).slice(0, filesShown);
    return { files: texts.length, ...total, readingMinutes: readingMinutes(total), longest };
  },
});
