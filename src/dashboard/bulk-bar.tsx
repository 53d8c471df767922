/** What may be done with the tasks that are chosen in a list: only what fits the states on the page. */

interface BulkProps {
  readonly q: string;
  readonly root: string;
  readonly finished: boolean;
  readonly unfinished: boolean;
  readonly waiting: boolean;
  readonly mayRemove: boolean;
}

export function BulkBar({ finished, unfinished, mayRemove }: BulkProps) {
  return (
    <div class="bulk" role="toolbar" aria-label="Selected tasks">
      <b data-chosen>Selected tasks</b>
      <span class="grow" />
      {finished ? (
        <button class="button" type="submit" name="action" value="retry" data-key="r">
          Retry <kbd class="needs-script">r</kbd>
        </button>
      ) : null}
      {unfinished ? (
        <button
          class="button danger"
          type="submit"
          name="action"
          value="cancel"
          data-key="C"
          data-confirm="Cancel {count} tasks? Those that run are told to stop."
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
          data-confirm="Remove {count} finished tasks with their logs and results? That cannot be undone."
        >
          Remove
        </button>
      ) : null}
    </div>
  );
}
