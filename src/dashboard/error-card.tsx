/** Above a list of tasks that failed in one way: what that is, how often it comes, and what somebody has said of it. */

import type { ErrorDocument } from '../operations/error.ts';
import { When } from './components.tsx';
import { ErrorMenu, OpenAgain } from './error-menu.tsx';
import { Glyph } from './glyphs.tsx';
import type { PageFrame } from './layout.tsx';
import { count, exactTime } from './words.ts';

interface CardProps {
  readonly error: ErrorDocument;
  readonly frame: PageFrame;
  readonly mayOperate: boolean;
}

export function ErrorCard({ error, frame: { root, here, now }, mayOperate }: CardProps) {
  const { fingerprint, mark, errorName, message, task, lastHour, lastDay, firstSeenAt, lastSeenAt, exact } = error;
  const menu = { fingerprint, back: here, root };
  return (
    <section class="card" aria-label="Error">
      <div class="problem">
        <Glyph view="failed" />
        <div>
          <div class="strong error-line">{`${errorName}: ${message.split('\n', 1)[0] ?? ''}`}</div>
          <div class="muted">
            {`${task} · ${count(lastHour)} in the last hour, ${count(lastDay)} in the last day, ${count(error.count)}${exact ? '' : '+'} in all · first `}
            <When at={firstSeenAt} now={now} />
            {', last '}
            <When at={lastSeenAt} now={now} />
          </div>
          {mark === null ? null : <div>{markWords(mark)}</div>}
        </div>
        <span class="grow" />
        {mayOperate ? mark === null ? <ErrorMenu {...menu} /> : <OpenAgain {...menu} /> : null}
      </div>
    </section>
  );
}

function markWords({ as, by, reason, at, until }: NonNullable<ErrorDocument['mark']>): string {
  const why = reason === null ? '' : `: ${reason}`;
  return as === 'muted' && until !== null
    ? `Muted by ${by} until ${exactTime(until)}${why}`
    : `Resolved by ${by}, ${exactTime(at)}${why}`;
}
