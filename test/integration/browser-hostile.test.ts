/** Tests that nothing a user or a handler wrote ever becomes markup or script in a browser, wherever the pages show it. */

import { expect, test } from 'vitest';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { onChromium, type WatchedPage } from '../support/browser.ts';
import { hostileTexts } from '../support/hostile-texts.ts';
import { fillPages } from '../support/page-world.ts';
import { waitFor } from '../support/wait-for.ts';

/** Counted in the page: elements that the texts ask for and the pages never have. */
const intruders =
  'img, iframe, object, embed, base, math, video, audio, marquee, template, style, xss, script:not([src*="/assets/"]), link[href^="data:"], [style]:not(tf-chart *), [onload], [onerror], [onfocus]';

async function expectClean(page: WatchedPage): Promise<void> {
  await page.waitForSelector('button.live, .problem, .mistake');
  expect(await page.locator(intruders).count()).toBe(0);
  expect(page.faults).toEqual([]);
}

await onChromium((rig) => {
  test('there are at least eighty such texts, each once', () => {
    expect(new Set(hostileTexts).size).toBeGreaterThanOrEqual(80);
  });

  test('a list of them all is a list of texts, also when it is taken into an open page', async () => {
    const { broker } = rig.server.store;
    await broker.enqueue(
      hostileTexts.map((text, index) =>
        newTask(`01K8Q2M4ZJE0080000${String(index).padStart(8, '0')}`, {
          name: 'a',
          payload: JSON.stringify(text),
          key: text,
          tags: [text.slice(0, 60)],
          group: text,
        }),
      ),
    );
    const page = await rig.open('/tasks');
    await expectClean(page);
    expect(await page.locator('tbody tr').count()).toBe(50);
    await page.click('text=Older');
    await expectClean(page);
    const first = page.locator('tbody tr').first();
    await rig.server.post(`/api/v1/tasks/${await first.getAttribute('id')}/cancel`, { reason: hostileTexts[0] });
    await waitFor(async () => expect(await first.textContent()).toContain('Cancelled'));
    await expectClean(page);
  });

  test('each of them in every field of a task and of the overview is shown as it was written', async () => {
    const text = hostileTexts.join('\n');
    const { failed, running } = await fillPages(rig.server, text);
    for (const path of ['/', '/tasks', `/tasks/${failed}`, `/tasks/${running}`]) {
      const page = await rig.open(path);
      await expectClean(page);
      if (path.endsWith(failed)) expect(await page.textContent('.error-line')).toBe(`Error: ${text}`);
    }
  });

  test('each of them as a filter, a cursor or what was done is a text in a box or an error', async () => {
    const page = await rig.open('/tasks');
    for (let from = 0; from < hostileTexts.length; from += 8) {
      const q = hostileTexts.slice(from, from + 8).join(' ');
      await page.goto(`${rig.url}/tasks?q=${encodeURIComponent(q.slice(0, 900))}&done=${encodeURIComponent(q)}`);
      await expectClean(page);
      await page.goto(`${rig.url}/tasks?after=${encodeURIComponent(q)}&trail=${encodeURIComponent(q)}`);
      expect(page.faults).toEqual([]);
    }
    for (const text of hostileTexts.slice(0, 12)) {
      await page.goto(`${rig.url}/tasks/${encodeURIComponent(text)}`);
      await expectClean(page);
    }
  });

  test('each of them as an error that needs attention, a choice, and what the palette finds', async () => {
    const { broker } = rig.server.store;
    const { context } = rig.server;
    const text = hostileTexts.join(' ');
    const name = 'a"<img src=x onerror=alert(1)>'.slice(0, 60);
    const ids = context.ids.many(4);
    await broker.enqueue(ids.map((id) => newTask(id, { name, queue: name })));
    const claimed = await broker.claim(claimRequest('d'.repeat(32), { queues: [{ name, limit: 3 }] }));
    const error = { name: text.slice(0, 100), message: text, stack: text, fingerprint: 'f9' };
    await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('failed', { error }))));
    const page = await rig.open('/');
    await expectClean(page);
    await waitFor(async () => {
      await page.reload();
      expect(await page.textContent('[aria-label="Needs attention"]')).toContain(hostileTexts[0]!.slice(0, 20));
    });
    await page.keyboard.press('Control+k');
    await page.keyboard.type('onerror');
    await waitFor(async () => expect(await page.textContent('.palette [role=listbox]')).toContain(name));
    await expectClean(page);
    for (const [index, hostile] of hostileTexts.entries()) {
      const value = encodeURIComponent(hostile);
      await page.context().addCookies([
        { name: 'tf-columns', value, url: rig.url },
        { name: 'tf-theme', value, url: rig.url },
      ]);
      if (index % 10 > 0) continue;
      await page.goto(`${rig.url}/tasks?done=cancel.1.0&undo=${value}`);
      await expectClean(page);
      await page.goto(`${rig.url}/tasks/matching?action=move&queue=${value}&q=state%3Aqueued`);
      expect(page.faults).toEqual([]);
      expect(await page.locator(intruders).count()).toBe(0);
    }
  });
});
