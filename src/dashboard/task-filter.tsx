/** How a list of tasks is narrowed: the chips of the states, the filter box with what is wrong in it, and the span of time. */

import type { ErrorDocument } from '../core/errors.ts';
import { filterFields } from '../core/filter.ts';
import type { TaskView } from '../core/states.ts';
import { countsByLook } from './components.tsx';
import { termsOf, withTerm } from './filter-words.ts';
import { type ShownView, StateWord, shownViews } from './glyphs.tsx';
import { count } from './words.ts';

/** The filter that lists what a number of the overview counts. */
export function filterFor(view: ShownView): string {
  return `state:${statesOf(view)}`;
}

function statesOf(view: ShownView): string {
  if (view === 'failed') return 'failed,quarantined';
  return view === 'cancelled' ? 'cancelled,expired' : view;
}

/** The address of the list for a filter. */
export function listHref(root: string, q: string): string {
  return q === '' ? `${root}tasks` : `${root}tasks?q=${encodeURIComponent(q)}`;
}

interface ChipsProps {
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  readonly q: string;
  readonly root: string;
}

/** One click filters by a state and keeps the rest of the filter, another takes it away. The counts are of all tasks. */
export function StateChips({ counts, q, root }: ChipsProps) {
  const sums = countsByLook(counts);
  const chosen = termsOf(q).find(({ field }) => field === 'state')?.text;
  return (
    <nav class="chips" aria-label="States">
      {shownViews.map((view) => {
        const term = filterFor(view);
        const isChosen = chosen === term;
        return (
          <a
            class={`chip tint-${view}`}
            href={listHref(root, withTerm(q, 'state', isChosen ? null : term))}
            aria-current={isChosen ? 'true' : undefined}
          >
            <StateWord view={view} />
            <b data-n={view}>{count(sums[view])}</b>
          </a>
        );
      })}
    </nav>
  );
}

const spans = [
  ['15m', '15 minutes'],
  ['1h', 'hour'],
  ['6h', '6 hours'],
  ['24h', '24 hours'],
  ['7d', '7 days'],
] as const;

interface FilterProps {
  readonly q: string;
  readonly mistake: ErrorDocument | null;
  readonly root: string;
}

export function FilterBox({ q, mistake, root }: FilterProps) {
  return (
    <>
      <div class="narrow">
        <search>
          <form class="filter" method="get" action={`${root}tasks`}>
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <circle cx="7" cy="7" r="4.6" />
              <path d="M10.6 10.6L14 14" />
            </svg>
            <input
              type="search"
              name="q"
              value={q}
              placeholder="state:failed name:email.* since:6h"
              aria-label="Filter"
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              list="filter-words"
              data-filter={Object.keys(filterFields).join(' ')}
              data-counts={`${root}api/v1/counts`}
              aria-invalid={mistake === null ? undefined : 'true'}
              aria-describedby={mistake === null ? undefined : 'mistake'}
            />
            <kbd class="needs-script hide">/</kbd>
            <button class="button" type="submit">
              Filter
            </button>
            <datalist id="filter-words">
              {shownViews.map((view) => (
                <option value={`state:${view}`} />
              ))}
            </datalist>
          </form>
        </search>
        <SpanMenu q={q} root={root} />
      </div>
      {mistake === null ? null : <Mistake q={q} error={mistake} root={root} />}
    </>
  );
}

function SpanMenu({ q, root }: { readonly q: string; readonly root: string }) {
  const chosen = termsOf(q).find(({ field }) => field === 'since')?.text;
  const word = spans.find(([span]) => chosen === `since:${span}`)?.[1];
  return (
    <details class="menu">
      <summary class="button">
        {chosen === undefined ? 'Any time' : word === undefined ? chosen : `Last ${word}`}
      </summary>
      <div>
        {spans.map(([span, words]) => (
          <a href={listHref(root, withTerm(q, 'since', `since:${span}`))}>{`Last ${words}`}</a>
        ))}
        <a href={listHref(root, withTerm(q, 'since', null))}>Any time</a>
      </div>
    </details>
  );
}

/** What is wrong, with a mark under the place, and what it may have meant. */
function Mistake({ q, error, root }: { readonly q: string; readonly error: ErrorDocument; readonly root: string }) {
  const position = positionOf(error.details);
  const meant = meantOf(q, position, `${error.message} ${error.hint ?? ''}`);
  return (
    <div class="mistake" id="mistake" role="alert">
      {error.message}{' '}
      {meant === null ? null : (
        <a class="strong" href={listHref(root, meant)}>
          {`Search ${meant}`}
        </a>
      )}
      {position === null ? null : (
        <pre class="muted" aria-hidden="true">{`${q}\n${' '.repeat(Math.max(0, position - 1))}^`}</pre>
      )}
    </div>
  );
}

/** The filter with the nearest known field in the place of one that is not known. */
function meantOf(q: string, position: number | null, words: string): string | null {
  const near = /Did you mean "?(\w+):?"?\?/.exec(words)?.[1];
  if (near === undefined || position === null) return null;
  const rest = q.slice(position - 1);
  const field = /^-?(\w+):/.exec(rest);
  return field === null ? null : q.slice(0, position - 1) + rest.replace(field[1] ?? '', near);
}

function positionOf(details: unknown): number | null {
  const found = typeof details === 'object' && details !== null && 'position' in details ? details.position : null;
  return typeof found === 'number' && found <= 200 ? found : null;
}
