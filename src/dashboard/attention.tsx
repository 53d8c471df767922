/** What a person should look at, in sentences, each with the one thing to do about it. */

import type { Concern, ConcernAction, Signs } from './concern.ts';
import { findConcerns } from './concerns.ts';
import { ErrorMenu } from './error-menu.tsx';
import { Glyph } from './glyphs.tsx';
import { count } from './words.ts';

/** Shown at most; the queues table has the rest. */
const shownMax = 6;

/** What needs more than the numbers of this moment is looked for behind the page. */
const looking = 'What grows, fails anew or was missed is being looked for: in a few seconds this page tells it.';

export function NeedsAttention({
  root,
  mayOperate,
  ...signs
}: Signs & { readonly root: string; readonly mayOperate: boolean }) {
  const concerns = findConcerns(signs);
  const isLooking = signs.beyond?.signs.asOf === null;
  return (
    <section class="card" aria-label="Needs attention">
      <header>
        <h2>Needs attention</h2>
        <span class="muted">{concerns.length === 0 ? '' : count(concerns.length)}</span>
      </header>
      {concerns.slice(0, shownMax).map((concern) => (
        <Sentence concern={concern} root={root} mayOperate={mayOperate} />
      ))}
      {concerns.length > 0 ? null : (
        <div class="problem">
          <Glyph view={isLooking ? 'scheduled' : 'succeeded'} />
          <div class="muted">{isLooking ? looking : 'Nothing needs attention.'}</div>
        </div>
      )}
      {concerns.length <= shownMax ? null : (
        <div class="pages">{`${count(concerns.length - shownMax)} more, none more severe.`}</div>
      )}
      {isLooking && concerns.length > 0 ? <div class="pages">{looking}</div> : null}
    </section>
  );
}

function Sentence({
  concern,
  root,
  mayOperate,
}: {
  readonly concern: Concern;
  readonly root: string;
  readonly mayOperate: boolean;
}) {
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
      {action === undefined ? null : <Action action={action} root={root} mayOperate={mayOperate} />}
    </div>
  );
}

function Action({
  action,
  root,
  mayOperate,
}: {
  readonly action: ConcernAction;
  readonly root: string;
  readonly mayOperate: boolean;
}) {
  if (action.kind === 'page')
    return (
      <a class="button" href={root + action.path}>
        {action.word}
      </a>
    );
  if (action.kind === 'error')
    return <ErrorActions fingerprint={action.fingerprint} root={root} mayOperate={mayOperate} />;
  if (action.kind === 'tasks')
    return (
      <a class="button" href={`${root}tasks?q=${encodeURIComponent(action.q)}`}>
        {action.word}
      </a>
    );
  if (!mayOperate) return null;
  return (
    <form method="post" action={`${root}queues/${encodeURIComponent(action.queue)}/resume`}>
      <button class="button" type="submit">
        Resume
      </button>
    </form>
  );
}

/** What is known is muted for a time, or resolved: then it is told again when it comes back. */
function ErrorActions({
  fingerprint,
  root,
  mayOperate,
}: {
  readonly fingerprint: string;
  readonly root: string;
  readonly mayOperate: boolean;
}) {
  return (
    <div class="row">
      {mayOperate ? <ErrorMenu fingerprint={fingerprint} back="" root={root} /> : null}
      <a class="button" href={`${root}tasks?q=${encodeURIComponent(`state:failed err:${fingerprint}`)}`}>
        Show tasks
      </a>
    </div>
  );
}
