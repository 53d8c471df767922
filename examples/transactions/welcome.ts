/** The task of these examples: the mail that belongs to a row. */

import { task } from 'taskflowjs';
import { z } from 'zod';

export const welcome = task('email.welcome', {
  input: z.object({ email: z.string() }),
  key: 'welcome:{email}',
  run: ({ email }, ctx) => ctx.log.info(`Welcome, ${email}`),
});
