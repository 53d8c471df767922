/** What an empty system shows instead of empty charts: three steps to the first task of one's own. */

const ownTask = `import { task } from 'taskflowjs';
import { z } from 'zod';

export const greet = task('greet', {
  input: z.object({ name: z.string() }),
  run: ({ name }) => \`Hello \${name}\`,
});`;

interface FirstStepsProps {
  readonly root: string;
  readonly workers: number;
  /** Whether a worker knows the task of the examples: then there is something to run before anything is written. */
  readonly helloKnown: boolean;
}

export function FirstSteps({ root, workers, helloKnown }: FirstStepsProps) {
  return (
    <section class="card" aria-label="First steps">
      <header>
        <h2>Three steps to your first task</h2>
      </header>
      <ol class="steps">
        <li class={workers > 0 ? 'done' : undefined}>
          <span class="count">{workers > 0 ? '✓' : '1'}</span>
          <div class="what">
            <div class="strong">
              {workers > 0
                ? workers === 1
                  ? 'A worker is connected'
                  : `${workers} workers are connected`
                : 'Start a worker'}
            </div>
            {workers > 0 ? (
              <div class="muted">It runs what is put in its queues.</div>
            ) : (
              <code class="command">npx taskflow worker start</code>
            )}
          </div>
        </li>
        {helloKnown ? (
          <>
            <RunIt number={2} name="demo.hello" root={root} />
            <WriteIt number={3} title="Add your own" />
          </>
        ) : (
          <>
            <WriteIt number={2} title="Write your first task" />
            <RunIt number={3} name="greet" root={null} />
          </>
        )}
      </ol>
    </section>
  );
}

/** With a button where the task is known already, below `root`. */
function RunIt({
  number,
  name,
  root,
}: {
  readonly number: number;
  readonly name: string;
  readonly root: string | null;
}) {
  const input = '{"name":"Ada"}';
  return (
    <li>
      <span class="count">{number}</span>
      <div class="what">
        <div class="strong">Run {root === null ? 'it' : 'your first task'}</div>
        <code class="command">{`npx taskflow run ${name} '${input}'`}</code>
      </div>
      {root === null ? null : (
        <form method="post" action={`${root}tasks`}>
          <input type="hidden" name="name" value={name} />
          <input type="hidden" name="input" value={input} />
          <button class="button first" type="submit">
            {`Run ${name}`}
          </button>
        </form>
      )}
    </li>
  );
}

function WriteIt({ number, title }: { readonly number: number; readonly title: string }) {
  return (
    <li>
      <span class="count">{number}</span>
      <div class="what">
        <div class="strong">{title}</div>
        <div class="muted">
          Save it as <code>tasks/greet.ts</code>; a worker finds every exported task.
        </div>
        <pre>{ownTask}</pre>
      </div>
    </li>
  );
}
