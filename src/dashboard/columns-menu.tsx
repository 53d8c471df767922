/** Which columns a list has: kept by the browser, chosen with or without a script. */

import type { PageFrame } from './layout.tsx';
import { type TaskColumn, taskColumns } from './task-columns.ts';

interface MenuProps {
  readonly columns: ReadonlySet<TaskColumn>;
  readonly frame: PageFrame;
}

export function ColumnsMenu({ columns, frame: { root, here } }: MenuProps) {
  return (
    <details class="menu hide" data-columns>
      <summary class="button">Columns</summary>
      <div>
        <form method="post" action={`${root}settings`}>
          <input type="hidden" name="back" value={here} />
          <input type="hidden" name="column.state" value="on" />
          {Object.entries(taskColumns).map(([name, word]) => (
            <label class="choice">
              <input
                type="checkbox"
                name={`column.${name}`}
                checked={columns.has(name as TaskColumn)}
                autocomplete="off"
              />
              {word}
            </label>
          ))}
          <button class="button no-script" type="submit">
            Show these
          </button>
        </form>
      </div>
    </details>
  );
}
