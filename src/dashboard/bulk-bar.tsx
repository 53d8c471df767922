/** What may be done with the tasks that are chosen in a list: only what fits the states on the page. */

import { priorities } from '../core/priority.ts';
import { count } from './words.ts';

interface BulkProps {
  /** The filter of the list; with one, the same may be done to all that it finds. */
  readonly q: string;
  /** How many that are; `null` where only counting would tell. */
  readonly matching: number | null;
  /** Whether the list has tasks that have ended, that have not, and that wait. */
  readonly finished: boolean;
  readonly unfinished: boolean;
  readonly waiting: boolean;
  readonly mayRemove: boolean;
  /** To which tasks may be moved. */
  readonly queues: readonly string[];
}

/** Names offered; the command line moves to any. */
const queuesMax = 100;

export function BulkBar({ q, matching, finished, unfinished, waiting, mayRemove, queues }: BulkProps) {
  return (
    <div class="bulk" role="toolbar" aria-label="Selected tasks">
      {/* Enter in a field presses the first button of a form: this one does nothing. */}
      <button type="submit" disabled hidden />
      <b data-chosen>Selected tasks</b>
      {q === '' ? null : (
        <label class="all-matching">
          <input type="checkbox" name="all" value="yes" autocomplete="off" data-all />
          {matching === null ? 'all that match' : `all ${count(matching)} that match`}
        </label>
      )}
      <span class="grow" />
      {finished ? (
        <button class="button" type="submit" name="action" value="retry" data-key="r">
          Retry <kbd class="needs-script">r</kbd>
        </button>
      ) : null}
      {waiting ? <Waiting queues={queues} /> : null}
      {unfinished ? (
        <button
          class="button danger"
          type="submit"
          name="action"
          value="cancel"
          data-key="C"
          data-confirm="Cancel {count}? Those that run are told to stop."
        >
          Cancel <kbd class="needs-script">⇧C</kbd>
        </button>
      ) : null}
      {finished && mayRemove ? (
        <button
          class="button danger"
          type="submit"
          name="action"
          value="remove"
          data-key="D"
          data-confirm="Remove {count} with logs and results?"
        >
          Remove <kbd class="needs-script">⇧D</kbd>
        </button>
      ) : null}
    </div>
  );
}

function Waiting({ queues }: Pick<BulkProps, 'queues'>) {
  return (
    <>
      <button class="button" type="submit" name="action" value="run">
        Run now
      </button>
      <details class="menu">
        <summary class="button">Move…</summary>
        <div>
          <label>
            To queue
            <select name="queue">
              {queues.slice(0, queuesMax).map((queue) => (
                <option value={queue}>{queue}</option>
              ))}
            </select>
          </label>
          <button class="button" type="submit" name="action" value="move">
            Move
          </button>
        </div>
      </details>
      <details class="menu">
        <summary class="button">Priority…</summary>
        <div>
          <label>
            Priority
            <select name="priority">
              {Object.entries(priorities).map(([name, number]) => (
                <option value={name} selected={name === 'normal'}>{`${name}, ${number}`}</option>
              ))}
            </select>
          </label>
          <button class="button" type="submit" name="action" value="priority">
            Change
          </button>
        </div>
      </details>
    </>
  );
}
