/** The frame of every page. */

import type { Child } from 'hono/jsx';
import {
  chartLibrary,
  chartScript,
  chartStyle,
  icon,
  mainScript,
  paletteScript,
  styleSheet,
  themeScript,
} from './assets.ts';
import { Mark, Sprite } from './glyphs.tsx';
import { type Theme, UserMenu, type Who } from './user-menu.tsx';

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
  /** Seconds until the page loads itself again, as somebody without scripts asked for; `null` leaves it alone. */
  readonly refresh: number | null;
  /** The same where there are no scripts, since a part of it is still being looked for; with scripts it is asked for every `everyMs`. */
  readonly refreshPlain?: number;
  /** The address of this page with that the other way round; `null` for pages that do not change. */
  readonly liveHref: string | null;
  /** What the page hears of while it is open. */
  readonly topics: readonly string[];
  /** How often it is asked for without being told of a change, in ms: for what goes on without one. */
  readonly everyMs: number;
  /** What was just done, as the address tells it: `retry.3`. */
  readonly done: string | null;
  /** The operation that undoes it when it is stopped. */
  readonly undo: string | null;
  /** This page below the root of the site, to come back to. */
  readonly here: string;
  /** Who looks at it; `null` where nobody was asked. */
  readonly who: Who | null;
  readonly theme: Theme;
}

interface LayoutProps {
  readonly title: string;
  readonly current: 'overview' | 'tasks' | 'schedules' | null;
  readonly frame: PageFrame;
  /** What the store is, for the footer. */
  readonly store?: string;
  /** Whether the page has a chart: only then is what draws it loaded. */
  readonly hasChart?: boolean;
  readonly children?: Child;
}

export function Layout({ title, current, frame, store, hasChart = false, children }: LayoutProps) {
  const { root, environment, version, now } = frame;
  return (
    <html lang="en" data-now={String(now)} data-theme={frame.theme === 'system' ? undefined : frame.theme}>
      <Head title={title} frame={frame} hasChart={hasChart} />
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
            {(
              [
                ['overview', '', 'Overview'],
                ['tasks', 'tasks', 'Tasks'],
                ['schedules', 'schedules', 'Schedules'],
              ] as const
            ).map(([page, path, word]) => (
              <a href={root + path} data-go={page} aria-current={current === page ? 'page' : undefined}>
                {word}
              </a>
            ))}
          </nav>
          {environment === null ? null : (
            <span class={environment === 'production' ? 'environment production' : 'environment'}>{environment}</span>
          )}
          <Live frame={frame} />
          <button
            class="needs-script"
            type="button"
            data-palette={root + paletteScript.path}
            data-root={root}
            aria-label="⌘K: go to a page, queue or task, or do something"
            aria-keyshortcuts="Control+K Meta+K"
          >
            <kbd>⌘K</kbd>
          </button>
          <UserMenu frame={frame} />
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

function Head({
  title,
  frame: { root, refresh, refreshPlain },
  hasChart,
}: {
  readonly title: string;
  readonly frame: PageFrame;
  readonly hasChart: boolean;
}) {
  return (
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width,initial-scale=1" />
      {refresh === null ? null : <meta http-equiv="refresh" content={String(refresh)} />}
      {refresh !== null || refreshPlain === undefined ? null : (
        <noscript>
          <meta http-equiv="refresh" content={String(refreshPlain)} />
        </noscript>
      )}
      <title>{`${title} · TaskFlow`}</title>
      <link rel="stylesheet" href={root + styleSheet.path} />
      {hasChart ? <link rel="stylesheet" href={root + chartStyle.path} /> : null}
      <link rel="icon" href={root + icon.path} type="image/svg+xml" />
      <script src={root + themeScript.path} />
      {hasChart ? <link rel="modulepreload" href={root + chartLibrary.path} /> : null}
      <script type="module" src={root + mainScript.path} />
      {hasChart ? <script type="module" src={root + chartScript.path} /> : null}
    </head>
  );
}

/** Live without a script: the page asks the browser to load it again. */
function Live({ frame: { root, refresh, liveHref, topics, everyMs } }: { readonly frame: PageFrame }) {
  if (liveHref === null) return null;
  return (
    <tf-live topics={topics.join(' ')} every={String(everyMs)} events={`${root}api/v1/events`}>
      {refresh === null ? (
        <a class="live" href={liveHref} title="Load this page again every few seconds">
          <i />
          <span>Live</span>
        </a>
      ) : (
        <a class="live on" href={liveHref} title="Stop loading this page again">
          <i />
          <span>Live</span>
        </a>
      )}
    </tf-live>
  );
}
