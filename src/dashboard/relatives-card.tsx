/** The tasks a task waits for, and those that wait for it. */

import { limits } from '../core/limits.ts';
import type { RelativeDocument, TaskRecordDocument } from '../operations/task-document.ts';
import { StateWord } from './glyphs.tsx';
import { count } from './words.ts';

interface RelativesProps {
  readonly task: TaskRecordDocument;
  readonly root: string;
}

export function RelativesCards({ task, root }: RelativesProps) {
  const inFlow = task.flow === null || task.flow === task.id ? null : task.flow;
  return (
    <>
      {inFlow === null ? null : (
        <p class="muted part-of">
          Part of flow <a href={`${root}tasks/${inFlow}`}>{inFlow.slice(0, 16)}</a>
        </p>
      )}
      <Relatives title="Waits for" relatives={task.parents} left={task.parentsLeft} root={root} />
      <Relatives
        title={task.flow === task.id ? 'Steps and tasks that wait for it' : 'Waited for by'}
        relatives={task.children}
        root={root}
      />
    </>
  );
}

interface ListProps {
  readonly title: string;
  readonly relatives: readonly RelativeDocument[];
  /** How many of all are not done; there may be more than are shown. */
  readonly left?: number;
  readonly root: string;
}

function Relatives({ title, relatives, left = 0, root }: ListProps) {
  if (relatives.length === 0) return null;
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="muted">{left > 0 ? `${count(left)} not done` : shownCount(relatives.length)}</span>
      </header>
      <ul class="body relatives">
        {relatives.map(({ id, name, state }) => (
          <li>
            {state === null ? <span class="muted">gone</span> : <StateWord view={state} />}{' '}
            <a href={`${root}tasks/${id}`}>{name ?? id}</a> <code class="muted mono">{id.slice(0, 16)}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

function shownCount(shown: number): string {
  return shown < limits.relativesMax ? count(shown) : `${count(shown)} or more`;
}
