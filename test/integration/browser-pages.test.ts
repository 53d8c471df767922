/** Tests the pages in a real browser: in both themes, wide and narrow, without a script, by keys, and while things change. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { newSchedule } from '../../src/core/schedule.ts';
import { onChromium, type WatchedPage } from '../support/browser.ts';
import { fillPages, type PageWorld } from '../support/page-world.ts';
import { scheduleDefinition } from '../support/schedule-samples.ts';
import { waitFor } from '../support/wait-for.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}

/** What axe finds, a line each. It is put in by the browser's own door: the policy of the page does not let it in. */
async function findings(page: WatchedPage): Promise<readonly string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResult;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

/** Sentences that go on beyond the card they stand in. */
const cutOff = `[...document.querySelectorAll('.problem > div, .why > div, .timeline span')]
  .filter((each) => each.getBoundingClientRect().left + each.scrollWidth > each.closest('.card').getBoundingClientRect().right)
  .map((each) => each.textContent.slice(0, 40))`;

/** Cells whose words end in dots. */
const cutCells = `[...document.querySelectorAll('td')]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)`;

const paths: readonly (readonly [string, (world: PageWorld) => string])[] = [
  ['the overview', () => '/'],
  ['the list', () => '/tasks'],
  ['a filter with a mistake', () => '/tasks?q=stat:failed'],
  ['a task that failed', ({ failed }) => `/tasks/${failed}`],
  ['a task that waits', ({ queued }) => `/tasks/${queued}`],
  ['a page that is not there', () => '/nothing'],
  ['the page to sign in', () => '/login'],
  ['the reference of the API', () => '/api'],
  ['what is done to all', () => '/tasks/matching?action=cancel&q=state%3Aqueued'],
];

await onChromium((rig) => {
  describe.each([
    ['light', 1_400],
    ['light', 390],
    ['dark', 1_400],
    ['dark', 390],
  ] as const)('in the %s theme, %d pixels wide', (colorScheme, width) => {
    test.each(paths)('%s has no fault that axe finds, and fits', async (_name, pathOf) => {
      const world = await fillPages(rig.server);
      const page = await rig.open(pathOf(world), { colorScheme, viewport: { width, height: 900 } });
      await page.waitForSelector('button.live, .problem, .again, .signin, .api-operation');
      expect(await findings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(page.faults).toEqual([]);
    });
  });

  test.each([390, 1_400])('words without an end are broken, %d pixels wide', async (width) => {
    const { failed } = await fillPages(rig.server, 'Unbroken'.repeat(60));
    await rig.server.post('/api/v1/tasks', { name: 'late.one', queue: 'unbroken-'.repeat(11) });
    for (const path of ['/', '/tasks', `/tasks/${failed}`]) {
      const page = await rig.open(path, { viewport: { width, height: 900 } });
      await page.waitForSelector('button.live');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await page.evaluate(cutOff)).toEqual([]);
    }
  });

  test('a schedule shows its times whole, on a telephone too', async () => {
    const { broker } = rig.server.store;
    const { now } = await broker.info();
    const timing = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };
    await broker.schedules.put([newSchedule('report.nightly', scheduleDefinition({ timing }), now)]);
    const page = await rig.open('/schedules/report.nightly', { viewport: { width: 390, height: 900 } });
    await page.waitForSelector('button.live');
    expect(await page.locator('td span[title]').count()).toBeGreaterThan(5);
    expect(await page.evaluate(cutCells)).toEqual([]);
  });

  describe('without a script', () => {
    test('every page is complete and every action works', async () => {
      const { failed } = await fillPages(rig.server);
      const page = await rig.open('/', { javaScriptEnabled: false });
      await page.click('nav[aria-label=Main] >> text=Tasks');
      await page.fill('input[name=q]', 'state:failed');
      await page.click('text=Filter');
      expect(await page.locator('tbody tr').count()).toBe(1);
      await page.check(`#${'\\3'}${failed[0]} ${failed.slice(1)} input[type=checkbox]`);
      await page.click('button[value=retry]');
      expect(await page.textContent('.flash')).toContain('Retrying 1 task in 10 s.');
      await page.click('text=Undo');
      expect(await page.textContent('.flash')).toBe('Undone: nothing was changed. ');
      expect(page.url()).toBe(`${rig.url}/tasks?q=state%3Afailed&done=undone`);
    });

    test('an error is muted and opened again from its list', async () => {
      const { failed } = await fillPages(rig.server);
      const page = await rig.open('/tasks?q=err%3Af1f2f3', { javaScriptEnabled: false });
      expect(await page.textContent('[aria-label=Error]')).toContain('Error: plain');
      await page.click('text=Mute…');
      await page.click('text=Mute for a day');
      expect(page.url()).toBe(`${rig.url}/tasks?q=err%3Af1f2f3`);
      expect(await page.textContent('[aria-label=Error]')).toContain('Muted by ada until');
      await page.click('text=Open again');
      expect(await page.locator('text=Mute…').count()).toBe(1);
      expect(await page.locator(`[id="${failed}"]`).count()).toBe(1);
    });

    test('the theme and the columns are chosen in their menus, and kept', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks', { javaScriptEnabled: false });
      await page.click('.user summary');
      expect(await page.textContent('.user .who')).toBe('adaadmin');
      await page.click('.themes >> text=Dark');
      expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
      await page.click('[data-columns] summary');
      await page.uncheck('[name="column.queue"]');
      await page.check('[name="column.priority"]');
      await page.click('text=Show these');
      expect(await page.locator('th:not(.w-box)').allTextContents()).toEqual([
        ...['State', 'Task', 'ID', 'Input', 'Priority', 'Attempt', 'Took', 'When ↓'],
      ]);
      await page.goto(`${rig.url}/tasks?q=state%3Afailed`);
      expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
      expect(await page.locator('th >> text=Priority').count()).toBe(1);
    });

    test('a chart is a picture, and a table', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/', { javaScriptEnabled: false });
      expect(await page.locator('tf-chart svg').isVisible()).toBe(true);
      await page.click('text=Show as table');
      expect(await page.locator('.as-table td').first().isVisible()).toBe(true);
    });
  });

  describe('while a page is open', () => {
    test('a change shows on it, and what a person ticked stays', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open('/tasks');
      const row = page.locator(`[id="${queued}"]`);
      await row.locator('input').check();
      await rig.server.post(`/api/v1/tasks/${queued}/cancel`);
      await waitFor(async () => expect(await row.textContent()).toContain('Cancelled'));
      expect(await row.locator('input').isChecked()).toBe(true);
      expect(page.faults).toEqual([]);
    });

    test('it hears of changes from the live events, and asks for itself again only then', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open(`/tasks/${queued}`);
      await waitFor(() => expect(rig.server.followers).toBe(1));
      const looks: string[] = [];
      page.on('request', (request) => looks.push(new URL(request.url()).pathname));
      await rig.server.post(`/api/v1/tasks/${queued}/cancel`);
      await waitFor(async () => expect(await page.textContent('.title')).toContain('Cancelled'));
      const own = looks.filter((path) => !/^\/(assets\/|api\/v1\/events$)/.test(path));
      expect(new Set(own)).toEqual(new Set([`/tasks/${queued}`]));
    });

    test('new tasks wait to be asked for', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks');
      const before = await page.locator('tbody tr').count();
      await rig.server.post('/api/v1/tasks', { name: 'late.one' });
      await waitFor(async () => expect(await page.textContent('[data-arrived]')).toBe('1 new · show'));
      expect(await page.locator('tbody tr').count()).toBe(before);
      await page.click('[data-arrived]');
      await waitFor(async () => expect(await page.locator('tbody tr').count()).toBe(before + 1));
    });

    test('a form changes the page without loading it again', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/');
      await page.waitForSelector('button.live');
      await page.evaluate('globalThis.same = true');
      await page.click('[aria-label="Pause lonely"]');
      await page.waitForSelector('[aria-label="Resume lonely"]');
      expect(await page.evaluate('globalThis.same')).toBe(true);
    });

    test('a server that is started again is heard again, and what happened meanwhile is shown', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open('/tasks');
      await waitFor(() => expect(rig.server.followers).toBe(1));
      await rig.server.away();
      await waitFor(async () => expect(await page.textContent('button.live')).toMatch(/Reconnecting \d+ s/));
      await rig.server.store.broker.cancel({ taskIds: [queued], reason: 'meanwhile' });
      await rig.server.back();
      await waitFor(async () => expect(await page.textContent('button.live')).toBe('Live'), { timeout: 60_000 });
      await waitFor(async () => expect(await page.textContent(`[id="${queued}"]`)).toContain('Cancelled'));
      await waitFor(() => expect(rig.server.followers).toBe(1), { timeout: 60_000 });
      await rig.server.post('/api/v1/tasks', { name: 'late.one' });
      await waitFor(async () => expect(await page.textContent('[data-arrived]')).toBe('1 new · show'));
      expect(page.faults).toEqual([]);
    });
  });

  describe('what is begun can be undone', () => {
    test('by the button that says so, for a while; then it happens', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open(`/tasks/${queued}`);
      await page.waitForSelector('button.live');
      await page.click('.title >> text=Cancel');
      await page.click('.toast >> text=Undo');
      await waitFor(async () => expect(await page.textContent('.toasts')).toContain('Undone: nothing was changed.'));
      await page.click('.title >> text=Cancel');
      await waitFor(async () => expect(await page.textContent('.toasts')).toContain('Cancelling 1 task in 10 s.'));
      await waitFor(async () => expect(await page.textContent('.title')).toContain('Cancelled'), { timeout: 60_000 });
      expect(page.faults).toEqual([]);
    });

    test('several are asked about first, and all that match on a page of its own', async () => {
      await fillPages(rig.server);
      for (let count = 0; count < 3; count += 1) await rig.server.post('/api/v1/tasks', { name: 'late.one' });
      const page = await rig.open('/tasks?q=name%3Alate.one');
      await page.waitForSelector('button.live');
      await page.check('[data-choose-all]');
      await page.click('.bulk button[value=cancel]');
      expect(await page.textContent('dialog')).toContain('Cancel 3 tasks?');
      await page.click('dialog button[value=no]');
      await page.check('[data-all]');
      await page.click('.bulk button[value=run]');
      await page.waitForURL('**/tasks/matching?*');
      await page.click('main button.first');
      await page.waitForURL('**/tasks?*');
      expect(await page.textContent('.flash')).toContain('Making due 3 tasks in 10 s.');
    });
  });

  describe('the palette', () => {
    const first = '.palette [aria-selected=true]';

    test('leads to pages, queues, names and tasks, by keys alone', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open('/');
      await page.waitForSelector('button.live');
      for (const [typed, shown, address] of [
        ['sched', /^PageSchedules/, '/schedules'],
        ['lonely', /^Queuelonely1 task$/, '/tasks?q=queue%3Alonely'],
        ['mail.la', /^Taskmail.late/, '/tasks?q=name%3Amail.late'],
        [queued.toLowerCase(), /^Task/, `/tasks/${queued}`],
        ['state:failed', /^Tasksstate:failed/, '/tasks?q=state%3Afailed'],
      ] as const) {
        await page.keyboard.press('Control+k');
        // Without a wait: what is typed before it is there is for it.
        await page.keyboard.type(typed);
        await waitFor(async () => expect(await page.textContent(first)).toMatch(shown));
        await page.keyboard.press('Enter');
        await page.waitForURL(rig.url + address);
        await page.waitForSelector('button.live');
      }
      expect(page.faults).toEqual([]);
    });

    test('presses the buttons of the page, and closes with Escape', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/');
      await page.waitForSelector('button.live');
      await page.keyboard.press('/');
      await page.waitForSelector('.palette');
      expect(await findings(page)).toEqual([]);
      await page.keyboard.type('pause lon');
      await waitFor(async () => expect(await page.textContent(first)).toBe('ActionPause lonely'));
      await page.keyboard.type(' zzz');
      await page.waitForSelector('.palette-none >> text=Nothing is found');
      for (const _ of ' zzz') await page.keyboard.press('Backspace');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      await page.waitForSelector('[aria-label="Resume lonely"]');
      await page.keyboard.press('Meta+k');
      await page.waitForSelector('.palette');
      await page.keyboard.press('Escape');
      await waitFor(async () => expect(await page.locator('.palette').count()).toBe(0));
    });
  });

  describe('by keys', () => {
    test('a row is found, chosen and retried, and the theme changed', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks?q=state%3Afailed');
      await page.waitForSelector('button.live');
      for (const key of ['j', 'x', 'r']) await page.keyboard.press(key);
      await waitFor(async () => expect(await page.textContent('.toast')).toContain('Retrying 1 task in 10 s.'));
      await page.keyboard.press('t');
      expect(await page.getAttribute('html', 'data-theme')).toBe('light');
      await page.keyboard.press('?');
      expect(await page.textContent('dialog')).toContain('next row');
      await page.keyboard.press('Escape');
      await page.keyboard.press('/');
      expect(await page.evaluate('document.activeElement.name')).toBe('q');
    });
  });
});
