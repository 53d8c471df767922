/** Tests in a real browser: the Chromium of this machine, over a whole server on a port of its own. */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { type PageServer, type PageServerOptions, startPageServer } from './page-server.ts';
import { mayLeaveOut } from './run-servers.ts';

export interface BrowserRig {
  /** Of this test. */
  readonly server: PageServer;
  /** Where it listens. */
  readonly url: string;
  /** A new page at a path of the server, in a context of its own. It ends with the test. */
  open(path: string, options?: BrowserContextOptions): Promise<WatchedPage>;
}

export interface WatchedPage extends Page {
  /** What should never happen: reports of the policy, dialogs, errors of scripts, requests to elsewhere. */
  readonly faults: readonly string[];
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

function findChromium(): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].filter((folder) => folder !== '');
  const candidates = [
    process.env.CHROMIUM ?? '',
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
  ];
  return candidates.find((path) => path !== '' && isProgram(path)) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Declares tests in a browser; on a machine without one, a test that says so. */
export async function onChromium(
  declare: (rig: BrowserRig) => void,
  options: () => Promise<PageServerOptions> = async () => ({}),
): Promise<void> {
  const executablePath = findChromium();
  if (executablePath === null) {
    test('a machine without Chromium leaves out what is tested in a browser, and is none that must not', () => {
      expect(mayLeaveOut()).toBe(true);
    });
    return;
  }
  const browser = await chromium.launch({ executablePath, args: quiet });
  afterAll(() => browser.close());
  declare(createRig(browser, options));
}

function createRig(browser: Browser, options: () => Promise<PageServerOptions>): BrowserRig {
  let server: PageServer | null = null;
  beforeEach(async () => {
    server = await startPageServer(await options());
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server?.close();
  });
  return {
    get server() {
      return given(server);
    },
    get url() {
      return given(server).url;
    },
    async open(path, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1_400, height: 900 }, ...options });
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      const faults = await watch(page, given(server).url);
      await page.goto(given(server).url + path);
      return Object.assign(page, { faults });
    },
  };
}

function given<Value>(value: Value | null): Value {
  if (value === null) throw new Error('only inside of a test');
  return value;
}

async function watch(page: Page, url: string): Promise<string[]> {
  const faults: string[] = [];
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(`policy: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) faults.push(`request: ${request.url()}`);
  });
  return faults;
}
