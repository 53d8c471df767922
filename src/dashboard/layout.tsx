/** The frame of every page. */

import type { Child } from 'hono/jsx';
import { icon, styleSheet } from './assets.ts';
import { Mark, Sprite } from './glyphs.tsx';

/** What a page knows of where it is shown. */
export interface PageFrame {
  /** From this page to the root of the site (`./`, `../`), so that any mount point and proxy works. */
  readonly root: string;
  /** `staging`, `production`, …; shown in the bar. */
  readonly environment: string | null;
  /** The version of the program, for the footer. */
  readonly version: string;
  /** The store's clock when the page was made, milliseconds. */
  readonly now: number;
  /** Seconds until the page loads itself again; `null` leaves it alone. */
  readonly refresh: number | null;
  /** The address of this page with live updates the other way round; `null` for pages that do not change. */
  readonly liveHref: string | null;
}

interface LayoutProps {
  readonly title: string;
  readonly current: 'overview' | 'tasks' | 'schedules' | null;
  readonly frame: PageFrame;
  /** What the store is, for the footer. */
  readonly store?: string;
  readonly children?: Child;
}

export function Layout({ title, current, frame, store, children }: LayoutProps) {
  const { root, environment, version, refresh } = frame;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        {refresh === null ? null : <meta http-equiv="refresh" content={String(refresh)} />}
        <title>{`${title} · TaskFlow`}</title>
        <link rel="stylesheet" href={`${root}${styleSheet.path}`} />
        <link rel="icon" href={`${root}${icon.path}`} type="image/svg+xml" />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <Sprite />
        <header class="top">
          <a class="brand" href={root} aria-label="TaskFlow">
            <Mark />
            <span class="hide">TaskFlow</span>
          </a>
          <nav aria-label="Main">
            <a href={root} aria-current={current === 'overview' ? 'page' : undefined}>
              Overview
            </a>
            <a href={`${root}tasks`} aria-current={current === 'tasks' ? 'page' : undefined}>
              Tasks
            </a>
            <a href={`${root}schedules`} aria-current={current === 'schedules' ? 'page' : undefined}>
              Schedules
            </a>
          </nav>
          {environment === null ? null : (
            <span class={environment === 'production' ? 'environment production' : 'environment'}>{environment}</span>
          )}
          <Live frame={frame} />
        </header>
        <main id="main">{children}</main>
        <footer class="foot">
          {`TaskFlow ${version}`}
          {store === undefined ? null : ` · ${store}`}
        </footer>
      </body>
    </html>
  );
}

/** Live without a script: the page asks the browser to load it again. */
function Live({ frame: { refresh, liveHref } }: { readonly frame: PageFrame }) {
  if (liveHref === null) return null;
  return refresh === null ? (
    <a class="live" href={liveHref} title="Load this page again every few seconds">
      <i />
      Live
    </a>
  ) : (
    <a class="live on" href={liveHref} title="Stop loading this page again">
      <i />
      Live
    </a>
  );
}
