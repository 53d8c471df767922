/** What the steps of a task left: the parts of its work that are done, whatever becomes of the rest. */

import { preview } from '../core/preview.ts';
import type { StepDocument } from '../operations/task-document.ts';
import { count } from './words.ts';

/** Steps and characters of one value shown at once; the API has all of it. */
const stepsMax = 100;
const shownMax = 4_000;

export function StepsCard({ steps }: { readonly steps: readonly StepDocument[] }) {
  if (steps.length === 0) return null;
  const shown = steps.slice(-stepsMax);
  return (
    <section class="card runs">
      <header>
        <h2>Steps</h2>
        <span class="muted">
          {shown.length < steps.length
            ? `the last ${count(shown.length)} of ${count(steps.length)}`
            : count(steps.length)}
        </span>
      </header>
      {shown.map(({ name, value }) => {
        const text = JSON.stringify(value, null, 2) ?? 'null';
        return (
          <details>
            <summary>
              {name}
              <span class="muted">{` · ${preview(JSON.stringify(value) ?? 'null', 80)}`}</span>
            </summary>
            <pre>{text.length > shownMax ? `${text.slice(0, shownMax).toWellFormed()}…` : text}</pre>
          </details>
        );
      })}
    </section>
  );
}
