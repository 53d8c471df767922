/** What a person should look at, in sentences, each with the one thing to do about it. */

import { type Concern, type ConcernAction, findConcerns, type Signs } from './concerns.ts';
import { Glyph } from './glyphs.tsx';
import { count } from './words.ts';

/** Shown at most; the queues table has the rest. */
const shownMax = 6;

export function NeedsAttention({ root, ...signs }: Signs & { readonly root: string }) {
  const concerns = findConcerns(signs);
  return (
    <section class="card" aria-label="Needs attention">
      <header>
        <h2>Needs attention</h2>
        <span class="muted">{concerns.length === 0 ? '' : count(concerns.length)}</span>
      </header>
      {concerns.length === 0 ? (
        <div class="problem">
          <Glyph view="succeeded" />
          <div class="muted">Nothing needs attention.</div>
        </div>
      ) : (
        concerns.slice(0, shownMax).map((concern) => <Sentence concern={concern} root={root} />)
      )}
    </section>
  );
}

function Sentence({ concern, root }: { readonly concern: Concern; readonly root: string }) {
  const { look, title, more, command, action } = concern;
  return (
    <div class="problem">
      <Glyph view={look} />
      <div>
        <div class="strong">{title}</div>
        <div class="muted">
          {more} {command === null ? null : <code class="command">{command}</code>}
        </div>
      </div>
      <span class="grow" />
      {action === undefined ? null : <Action action={action} root={root} />}
    </div>
  );
}

function Action({ action, root }: { readonly action: ConcernAction; readonly root: string }) {
  if (action.kind === 'tasks')
    return (
      <a class="button" href={`${root}tasks?q=${encodeURIComponent(action.q)}`}>
        {action.word}
      </a>
    );
  return (
    <form method="post" action={`${root}queues/${encodeURIComponent(action.queue)}/resume`}>
      <button class="button" type="submit">
        Resume
      </button>
    </form>
  );
}
