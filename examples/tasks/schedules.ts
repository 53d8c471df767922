/** Tasks that run by the clock: a value as their input, and a function of the time they were due. */

import { hello } from './demo.ts';
import { reportSales } from './report-sales.ts';

/** 02:30 on the clocks of Berlin. In March, when that is left out, at 03:00; in October, when it comes twice, once. */
export const nightlySales = reportSales.schedule('report.nightly', {
  cron: '30 2 * * *',
  timezone: 'Europe/Berlin',
  input: { rows: 100_000 },
  catchUp: 'latest',
});

/** Every hour of elapsed time, up to a minute later, so that not everything starts at :00. */
export const hourlyHello = hello.schedule('demo.hourly', {
  every: '1h',
  jitter: '1m',
  input: ({ at }) => ({ name: `everybody, at ${at.toISOString().slice(11, 16)}` }),
});
