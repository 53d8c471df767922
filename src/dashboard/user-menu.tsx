/** Who I am, how the pages look, and the way out: a menu that works without a script. */

import type { PageFrame } from './layout.tsx';

/** Who looks at a page. */
export interface Who {
  readonly name: string;
  readonly role: string;
  /** Whether there is a session to end. */
  readonly isSignedIn: boolean;
}

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export function UserMenu({ frame: { root, here, who, theme } }: { readonly frame: PageFrame }) {
  const name = who?.name ?? '';
  return (
    <details class="menu user">
      <summary aria-label={name === '' ? 'Settings' : `Signed in as ${name}: settings and sign out`}>
        <span class="avatar" aria-hidden="true">
          {initialOf(name)}
        </span>
      </summary>
      <div>
        {who === null ? null : (
          <div class="who">
            <b>{who.name}</b>
            <span class="muted">{who.role}</span>
          </div>
        )}
        <form class="themes" method="post" action={`${root}settings`}>
          <input type="hidden" name="back" value={here} />
          <fieldset>
            <legend>Theme</legend>
            {themes.map((each) => (
              <button type="submit" name="theme" value={each} aria-pressed={each === theme ? 'true' : 'false'}>
                {each.charAt(0).toUpperCase() + each.slice(1)}
              </button>
            ))}
          </fieldset>
        </form>
        <a href={`${root}api`}>API reference</a>
        <button class="needs-script" type="button" data-help>
          Keys <kbd>?</kbd>
        </button>
        {who?.isSignedIn === true ? (
          <form method="post" action={`${root}logout`}>
            <button type="submit">Sign out</button>
          </form>
        ) : null}
      </div>
    </details>
  );
}

/** The first letter; a person without one for nobody. */
function initialOf(name: string): string {
  return /[\p{L}\p{N}]/u.exec(name)?.[0]?.toUpperCase() ?? '·';
}
