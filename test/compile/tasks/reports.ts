/** A task and its schedules as a user writes them. */
import { task } from 'taskflowjs';
import { z } from 'zod';

export const buildReport = task('report.nightly', {
  input: z.object({ kind: z.enum(['daily', 'weekly']), day: z.iso.date() }),
  queue: 'reports',
  retry: 3,
  timeout: '15m',
  run: async ({ kind, day }) => ({ rows: await warehouse(kind, day) }),
});

export const nightly = buildReport.schedule('report.nightly', {
  cron: '30 2 * * *',
  timezone: 'Europe/Berlin',
  input: ({ at }) => ({ kind: 'daily', day: at.toISOString().slice(0, 10) }),
  overlap: 'skip',
  catchUp: 'latest',
});

export const heartbeat = buildReport.schedule('report.heartbeat', {
  every: '15m',
  jitter: '30s',
  input: { kind: 'weekly', day: '2026-11-23' },
});

declare function warehouse(kind: string, day: string): Promise<number>;
