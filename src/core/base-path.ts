/** Where the site is below the host it is mounted in, whether that strips the prefix from requests or keeps it. */

import { invalidOption } from './option-names.ts';

/** A path as the site sees it. */
export interface Place {
  /** Below the root of the site, beginning with a slash. */
  readonly path: string;
  /** What links on the page are put behind, to lead from the root of the site. Ends in a slash. */
  readonly root: string;
}

/** `''` for the root of the host, else such as `/admin/tasks`. Throws INVALID_OPTION for what is no path. */
export function readBasePath(value: unknown): string {
  if (typeof value !== 'string') throw invalidOption('basePath', 'it must be text such as "/admin/tasks"');
  const path = value.replace(/\/+$/, '');
  if (path.length > 200 || !/^(\/[\w.~-]+)*$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))
    throw invalidOption('basePath', 'it must be a path that begins with a slash, such as "/admin/tasks"');
  return path;
}

/**
 * The place of a path that was asked for. A path that does not begin with `basePath` comes from a host or proxy that has stripped it:
 * what the browser sees is not known then, so links are absolute. Relative ones hold behind any further prefix.
 */
export function placeOf(asked: string, basePath: string): Place {
  if (basePath === '') return { path: asked, root: rootOf(asked) };
  if (asked === basePath) return { path: '/', root: `./${basePath.slice(basePath.lastIndexOf('/') + 1)}/` };
  if (!asked.startsWith(`${basePath}/`)) return { path: asked, root: `${basePath}/` };
  const path = asked.slice(basePath.length);
  return { path, root: rootOf(path) };
}

/** `/` → `./`, `/tasks/01K…` → `../`. */
function rootOf(path: string): string {
  const depth = path.split('/').length - 2;
  return depth <= 0 ? './' : '../'.repeat(depth);
}
