/** Tests the pages in a real browser: in both themes, wide and narrow, without a script, by keys, and while things change. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { onChromium, type WatchedPage } from '../support/browser.ts';
import { fillPages, type PageWorld } from '../support/page-world.ts';
import { waitFor } from '../support/wait-for.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}

/** What axe finds, a line each. It is put in by the browser's own door: the policy of the page does not let it in. */
async function findings(page: WatchedPage): Promise<readonly string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run()')) as AxeResult;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

const paths: readonly (readonly [string, (world: PageWorld) => string])[] = [
  ['the overview', () => '/'],
  ['the list', () => '/tasks'],
  ['a filter with a mistake', () => '/tasks?q=stat:failed'],
  ['a task that failed', ({ failed }) => `/tasks/${failed}`],
  ['a task that waits', ({ queued }) => `/tasks/${queued}`],
  ['a page that is not there', () => '/nothing'],
];

await onChromium((rig) => {
  describe.each([
    ['light', 1_400],
    ['light', 380],
    ['dark', 1_400],
    ['dark', 380],
  ] as const)('in the %s theme, %d pixels wide', (colorScheme, width) => {
    test.each(paths)('%s has no fault that axe finds, and fits', async (_name, pathOf) => {
      const world = await fillPages(rig.server);
      const page = await rig.open(pathOf(world), { colorScheme, viewport: { width, height: 900 } });
      await page.waitForSelector('button.live, .problem');
      expect(await findings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(page.faults).toEqual([]);
    });
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
      expect(await page.textContent('.flash')).toContain('Retried 1 task.');
      await page.goto(`${rig.url}/tasks/${failed}`);
      await page.click('text=Cancel');
      expect(await page.textContent('.title')).toContain('Cancelled');
      expect(page.url()).toBe(`${rig.url}/tasks/${failed}`);
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

    test('new tasks wait to be asked for', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks');
      const before = await page.locator('tbody tr').count();
      await rig.server.move(1_000);
      await rig.server.post('/api/v1/tasks', { name: 'late.one' });
      await waitFor(async () => expect(await page.textContent('[data-arrived]')).toBe('1 new · show'));
      expect(await page.locator('tbody tr').count()).toBe(before);
      await page.click('[data-arrived]');
      await waitFor(async () => expect(await page.locator('tbody tr').count()).toBe(before + 1));
    });

    test('a form changes the page without loading it again', async () => {
      const { queued } = await fillPages(rig.server);
      const page = await rig.open(`/tasks/${queued}`);
      await page.evaluate('globalThis.same = true');
      await page.click('text=Cancel');
      await waitFor(async () => expect(await page.textContent('.title')).toContain('Cancelled'));
      expect(await page.evaluate('globalThis.same')).toBe(true);
    });

    test('a server that goes away is waited for', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks');
      await page.route('**/*', (route) => route.abort());
      await waitFor(async () => expect(await page.textContent('button.live')).toMatch(/Reconnecting \d+ s/), {
        timeout: 40_000,
      });
      await page.unroute('**/*');
      await waitFor(async () => expect(await page.textContent('button.live')).toBe('Live'), { timeout: 40_000 });
    });
  });

  describe('by keys', () => {
    test('a row is found, chosen and retried, and the theme changed', async () => {
      await fillPages(rig.server);
      const page = await rig.open('/tasks?q=state%3Afailed');
      await page.waitForSelector('button.live');
      for (const key of ['j', 'x', 'r']) await page.keyboard.press(key);
      await waitFor(async () => expect(await page.textContent('.toast')).toContain('Retried 1 task.'));
      await page.keyboard.press('t');
      expect(await page.getAttribute('html', 'data-theme')).toBe('light');
      await page.keyboard.press('?');
      expect(await page.textContent('dialog')).toContain('next row');
      await page.keyboard.press('Escape');
      await page.keyboard.press('/');
      expect(await page.evaluate('document.activeElement.name')).toBe('q');
    });

    test('what cannot be undone asks first', async () => {
      const { failed } = await fillPages(rig.server);
      const page = await rig.open(`/tasks/${failed}`);
      await page.waitForSelector('button.live');
      await page.click('.title >> text=Remove');
      await page.click('dialog button[value=no]');
      expect((await rig.server.get(`/api/v1/tasks/${failed}`)).status).toBe(200);
      await page.click('.title >> text=Remove');
      await page.click('dialog .danger');
      await page.waitForURL('**/tasks');
      expect((await rig.server.get(`/api/v1/tasks/${failed}`)).status).toBe(404);
    });
  });
});
