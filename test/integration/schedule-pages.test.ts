/** Tests the pages of schedules: what they show, and that their forms work without a script. */
import { beforeEach, expect, test } from 'vitest';
import { newSchedule, type ScheduleDefinition } from '../../src/core/schedule.ts';
import { startServer, type TestServer } from '../support/http.ts';
import { scheduleDefinition } from '../support/schedule-samples.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

async function page(path: string): Promise<string> {
  return (await server.get(path)).text();
}

const berlin = { timing: { cron: '30 2 * * *', timezone: 'Europe/Berlin' } } as const;

async function put(name: string, given: Partial<ScheduleDefinition> = berlin): Promise<void> {
  const { now } = await server.store.broker.info();
  await server.store.broker.schedules.put([newSchedule(name, scheduleDefinition(given), now)]);
}

test('none yet: the page says what one is', async () => {
  expect(await page('/schedules')).toContain('buildReport.schedule(');
});

test('the list shows when each is due, in words', async () => {
  await put('report.nightly');
  const html = await page('/schedules');
  expect(html).toContain('At 02:30, Europe/Berlin');
  expect(html).toContain('href="./schedules/report.nightly"');
});

test('one is run, paused and resumed by forms', async () => {
  await put('report.nightly');
  const ran = await server.submit('/schedules/report.nightly/run', {});
  expect([ran.status, ran.headers.get('location')]).toEqual([303, '../../schedules/report.nightly']);
  await server.submit('/schedules/report.nightly/pause', {});
  const html = await page('/schedules/report.nightly');
  expect(html).toContain('run by hand');
  expect(html).toContain('paused by');
  await server.submit('/schedules/report.nightly/resume', {});
  expect(await page('/schedules/report.nightly')).not.toContain('paused by');
});

test('its page shows ten times on its own clocks, and the next change of them', async () => {
  await put('report.nightly');
  const html = await page('/schedules/report.nightly');
  expect(html.match(/ 02:30</g)?.length).toBeGreaterThanOrEqual(8);
  expect(html).toMatch(/the clocks (are put forward here|show this twice)/);
});

test('a name that is not there is a page of its own', async () => {
  expect((await server.get('/schedules/nope')).status).toBe(404);
});

test('nothing in them becomes markup', async () => {
  await put('a', { ...berlin, task: { ...scheduleDefinition().task, payload: '{"x":"<script>alert(1)</script>"}' } });
  await server.store.broker.schedules.pause(['a'], { by: '<b>', reason: '<img src=x>' });
  const html = await page('/schedules/a');
  expect(html).not.toMatch(/<script(?! (type="module" )?src="[./]*assets\/)|<img src=x|<b>:/);
});
