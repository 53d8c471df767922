// Tasks of the small programs beside this file.

import { z } from 'zod';
import { task } from '../../../src/index.ts';

export const double = task('double', {
  input: z.object({ n: z.int() }),
  queue: 'numbers',
  run: async ({ n }) => ({ twice: n * 2 }),
});
