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
        <li>
          <span class="count">2</span>
          <div class="what">
            <div class="strong">Run your first task</div>
            <code class="command">{`npx taskflow run demo.hello '{"name":"Ada"}'`}</code>
          </div>
          {helloKnown ? (
            <form method="post" action={`${root}tasks`}>
              <input type="hidden" name="name" value="demo.hello" />
              <input type="hidden" name="input" value='{"name":"Ada"}' />
              <button class="button first" type="submit">
                Run demo.hello
              </button>
            </form>
          ) : null}
        </li>
        <li>
          <span class="count">3</span>
          <div class="what">
            <div class="strong">Add your own</div>
            <div class="muted">
              Save it as <code>tasks/greet.ts</code>; a worker finds every exported task.
            </div>
            <pre>{ownTask}</pre>
          </div>
        </li>
      </ol>
    </section>
  );
}
