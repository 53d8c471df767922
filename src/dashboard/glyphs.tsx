/** The glyphs of the states, drawn once a page and used by reference. */

import type { TaskView } from '../core/states.ts';

/** The states that have a glyph and a colour of their own, in the order of the life cycle: bars, legends and chips keep it. */
export const shownViews = [
  'scheduled',
  'queued',
  'blocked',
  'running',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type ShownView = (typeof shownViews)[number];

/** Whose look a view has: expired looks like cancelled, quarantined like failed. */
export function lookOf(view: TaskView): ShownView {
  if (view === 'expired') return 'cancelled';
  return view === 'quarantined' ? 'failed' : view;
}

const paths: Readonly<Record<ShownView, string>> = {
  scheduled: 'M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M8 4.6V8l2.3 1.6',
  queued: 'M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4',
  blocked: 'M5 2.5v11M11 2.5v11',
  running: 'M8 1.8a6.2 6.2 0 1 1-6.2 6.2',
  retrying: 'M13.2 6.2A5.6 5.6 0 1 0 13.6 9M13.6 2.6v3.8H9.8',
  succeeded: 'M2.8 8.6l3.3 3.3 7-7.6',
  failed: 'M3.6 3.6l8.8 8.8M12.4 3.6l-8.8 8.8',
  cancelled: 'M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M3.8 12.2l8.4-8.4',
};

/** The definitions every glyph of the page refers to. */
export function Sprite() {
  return (
    <svg class="sprite" width="0" height="0" aria-hidden="true">
      <defs>
        {shownViews.map((view) => (
          <symbol
            id={`g-${view}`}
            viewBox="0 0 16 16"
            fill="none"
            stroke="currentColor"
            stroke-width="1.8"
            stroke-linecap="round"
            stroke-linejoin="round"
          >
            <path class={view === 'running' ? 'turn' : undefined} d={paths[view]} />
          </symbol>
        ))}
      </defs>
    </svg>
  );
}

/** A glyph alone; the words beside it carry the meaning. */
export function Glyph({ view }: { readonly view: ShownView }) {
  return (
    <svg class={`glyph tint-${view}`} aria-hidden="true">
      <use href={`#g-${view}`} />
    </svg>
  );
}

/** Glyph, word and colour of a state. */
export function StateWord({ view, word }: { readonly view: TaskView; readonly word?: string }) {
  const look = lookOf(view);
  return (
    <span class={`state tint-${look}`}>
      <svg aria-hidden="true">
        <use href={`#g-${look}`} />
      </svg>
      {word ?? capitalised(view)}
    </span>
  );
}

/** The mark of the product. */
export function Mark() {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      aria-hidden="true"
    >
      <path d="M3 5h9M3 10h14M3 15h6" />
      <circle cx="15" cy="5" r="1.6" fill="currentColor" />
      <circle cx="12" cy="15" r="1.6" fill="currentColor" />
    </svg>
  );
}

export function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
