/** A contract and its implementation. */
import { contract, task } from 'taskflowjs';
import { z } from 'zod';

export const resizeImage = contract('image.resize', {
  input: z.object({ src: z.url(), width: z.int().positive().max(8192) }),
  output: z.object({ url: z.url(), bytes: z.int(), kind: z.enum(['png', 'webp']).default('webp') }),
  queue: 'media',
  timeout: '2m',
  key: '{src}:{width}',
});

export const resizeImageTask = resizeImage.implement(async ({ src, width }, ctx) => {
  const file = await sharpResize(src, width, ctx.signal);
  return { url: file.url, bytes: file.bytes, kind: width > 100 ? 'webp' : 'png' };
});

/** Literals of a result are kept while its schema is inferred beside it. */
export const buildReport = task('report.build', {
  input: z.object({ day: z.iso.date() }),
  output: z.object({ kind: z.enum(['daily', 'weekly']), rows: z.array(z.object({ level: z.enum(['low', 'high']) })) }),
  retry: 3,
  run: async ({ day }) => ({ kind: day.endsWith('1') ? 'weekly' : 'daily', rows: [{ level: 'low' }] }),
});

declare function sharpResize(src: string, width: number, signal: AbortSignal): Promise<{ url: string; bytes: number }>;
