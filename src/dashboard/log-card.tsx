/** What a task logged, with a choice of how much of it. */

import type { LogDocument } from '../operations/task-document.ts';
import { count, exactTime } from './words.ts';

/** Lines shown at most; the API has all of them. */
const shownMax = 500;

const levels = ['debug', 'info', 'warn', 'error'] as const;

interface LogProps {
  readonly logs: readonly LogDocument[];
  /** The least level that is shown. */
  readonly level: string;
}

export function LogCard({ logs, level }: LogProps) {
  const least = Math.max(0, levels.indexOf(level as (typeof levels)[number]));
  const told = logs.filter((line) => levels.indexOf(line.level) >= least);
  const shown = told.slice(-shownMax);
  return (
    <section class="card" id="logs" aria-label="Logs">
      <header>
        <h2>Logs</h2>
        <span class="muted">
          {shown.length < told.length ? `the last ${count(shown.length)} of ${count(told.length)}` : count(told.length)}
        </span>
        <span class="grow" />
        <nav class="levels" aria-label="Level">
          {levels.map((word, index) => (
            <a
              href={index === 0 ? '?#logs' : `?level=${word}#logs`}
              aria-current={index === least ? 'true' : undefined}
            >
              {word}
            </a>
          ))}
        </nav>
      </header>
      {shown.length === 0 ? (
        <p class="none">
          {logs.length === 0 ? 'It has logged nothing.' : `Nothing of level ${levels[least]} or above.`}
        </p>
      ) : (
        <div class="log">
          {shown.map((line) => (
            <>
              <time class="muted" datetime={line.at} title={exactTime(line.at)}>
                {line.at.slice(11, 23)}
              </time>
              <span class={`level-${line.level}`}>{line.level}</span>
              <span>
                {line.message}
                {line.fields === null ? null : <span class="muted">{` ${JSON.stringify(line.fields)}`}</span>}
              </span>
            </>
          ))}
        </div>
      )}
    </section>
  );
}
