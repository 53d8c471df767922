/** What a page knows of the request it answers, and the two kinds of answers: finished HTML, and a way on to a page. */

import type { HtmlEscapedString } from 'hono/utils/html';
import { type OperationContext, type Role, roles } from '../operations/operation.ts';
import type { PageFrame } from './layout.tsx';
import { themes, type Who } from './user-menu.tsx';

/** A request as a page sees it, checked and read by whoever serves it. */
export interface Visit {
  /** As the browser asked for it, below the root of the site: `/tasks/01K…`. */
  readonly path: string;
  /** From this page to the root of the site. */
  readonly root: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The fields of a posted form. */
  readonly form: Readonly<Record<string, string>>;
  /** What the browser keeps of a person's choices. */
  readonly choices: Readonly<Record<string, string>>;
  /** Absent where nobody was asked. */
  readonly who?: Who;
}

export interface PageOptions {
  readonly version: string;
  /** Shown in the bar: `staging`, `production`. */
  readonly environment?: string | null;
  /** The line of the command line for each operation that has one; asked for by the reference of the API. */
  readonly commands?: () => Promise<Readonly<Record<string, string>>>;
}

/** Seconds between two looks of a page that loads itself again without a script. */
export const refreshSeconds = 3;

/** Without a change ages, curves and progress go on; where something runs, sooner. */
const idleMs = 15_000;
export const busyMs = 3_000;

/** `now` is the store's clock. */
export function frameOf(
  visit: Visit,
  { version, environment = null }: PageOptions,
  now: number,
  { topics = ['counts'], everyMs = idleMs }: Partial<Pick<PageFrame, 'topics' | 'everyMs'>> = {},
): PageFrame {
  const { live, done, undo, ...rest } = visit.query;
  const { theme = 'system' } = visit.choices;
  const here = new URLSearchParams(rest).toString();
  const own = new URLSearchParams(live === undefined ? { ...rest, live: '1' } : rest).toString();
  return {
    root: visit.root,
    environment,
    version,
    now,
    refresh: live === undefined ? null : refreshSeconds,
    liveHref: own === '' ? visit.root + visit.path.slice(1) : `?${own}`,
    topics,
    everyMs,
    done: done ?? null,
    undo: undo ?? null,
    here: visit.path.slice(1) + (here === '' ? '' : `?${here}`),
    who: visit.who ?? null,
    theme: themes.find((each) => each === theme) ?? 'system',
  };
}

/** Where a form was sent from, below the root of the site. Behind that whatever it is stays on this site; what no address has is left out. */
export function backOf({ back = '' }: Visit['form']): string {
  return back.slice(0, backMax).replaceAll(/[^!-~]|[\\<>"#]/g, '');
}

/** Characters of a path to return to. */
const backMax = 4_000;

export function seeOther(visit: Visit, path: string): Response {
  return new Response(null, { status: 303, headers: { location: visit.root + path } });
}

export async function html(page: HtmlEscapedString | Promise<HtmlEscapedString>, status = 200): Promise<Response> {
  return new Response(`<!doctype html>${await page}`, {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
}

/** Whether who asks may do what needs a role: what one may not do is not shown. */
export function reaches({ actor }: OperationContext, role: Role): boolean {
  return roles.indexOf(actor.role) >= roles.indexOf(role);
}
