/** A task file as a user writes it: compiled, never run. */
import { fatal, snooze, task } from 'taskflowjs';
import { z } from 'zod';

export const sendWelcome = task('email.welcome', {
  description: 'Greets a user once, after sign-up',
  input: z.object({
    userId: z.string(),
    locale: z.enum(['en', 'de', 'ja']).default('en'),
    plan: z.object({ name: z.string(), seats: z.int() }).optional(),
    sendAt: z.coerce.date().optional(),
  }),
  queue: 'email',
  retry: {
    attempts: 5,
    backoff: 'exponential',
    delay: '2s',
    max: '10m',
    jitter: 'equal',
    on: (error, attempt) => (error instanceof RangeError ? '1h' : attempt < 3),
  },
  timeout: '30s',
  key: 'welcome:{userId}:{plan.name}',
  keyFor: '30d', // the same user never gets two
  concurrency: { limit: 2, key: 'plan:{plan.name}' },
  rateLimit: { limit: 100, per: '1m', key: '{userId}' },
  keep: { succeeded: '1d', failed: '90d' },
  cancel: 'strict',

  async run({ userId, locale, sendAt }, ctx) {
    sendAt satisfies Date | undefined;
    const user = await ctx.step('load user', () => users.find(userId));
    user satisfies { email: string; confirmed: boolean } | null;
    const at = await ctx.step('note the time', () => new Date());
    at satisfies string; // a step travels as JSON
    (await ctx.step('nothing', () => {})) satisfies undefined;
    if (!user) throw fatal('user is gone'); // terminal: no more retries
    if (!user.confirmed) throw snooze('10m');
    ctx.log.info('rendering', { locale });
    ctx.progress(1, 2, 'rendered');
    const { messageId } = await mailer.send({ to: user.email, signal: ctx.signal, key: ctx.idempotencyKey });
    return { messageId, locale, sentAt: new Date() };
  },
});

/** No result, no options. */
export const ping = task('ping', { input: z.object({}), run: () => {} });

export const notATask = 'passed over';

declare const users: { find(id: string): Promise<{ email: string; confirmed: boolean } | null> };
declare const mailer: { send(mail: { to: string; signal: AbortSignal; key: string }): Promise<{ messageId: string }> };
