/** Two small tasks: one that greets, and one that fails before it succeeds. */

import { task } from 'taskflowjs';
import { z } from 'zod';

export const hello = task('demo.hello', {
  description: 'Greets somebody',
  input: z.object({ name: z.string().min(1).max(100).default('world') }),

  run({ name }, ctx) {
    ctx.log.info('greeting', { name });
    return { message: `Hello ${name}` };
  },
});

export const flaky = task('demo.flaky', {
  description: 'Fails a number of times, then succeeds',
  input: z.object({ failures: z.int().min(0).max(9).default(2) }),
  retry: { attempts: 10, delay: '500ms', max: '5s' },

  run({ failures }, ctx) {
    if (ctx.attempt <= failures)
      throw new Error(`Failing on purpose: attempt ${ctx.attempt}, ${failures} failures wanted`);
    return { attempts: ctx.attempt };
  },
});

export const order = task('demo.order', {
  description: 'Three steps that run once each, however often the last one fails',
  input: z.object({ item: z.string().default('book'), failures: z.int().min(0).max(5).default(2) }),
  retry: { attempts: 6, backoff: 'fixed', delay: '1s', jitter: 'none' },

  async run({ item, failures }, ctx) {
    const { shelf } = await ctx.step('reserve', () => {
      ctx.log.info('reserving', { item });
      return { item, shelf: item.length };
    });
    const { receipt } = await ctx.step('charge', () => {
      ctx.log.info('charging', { key: ctx.idempotencyKey });
      return { receipt: `R-${ctx.id.slice(-6)}` };
    });
    await ctx.step('send', () => {
      if (ctx.attempt <= failures) throw new Error(`the parcel service is closed (attempt ${ctx.attempt})`);
      ctx.log.info('sent', { shelf });
    });
    return { receipt, attempts: ctx.attempt };
  },
});
