/** The same done to every task that a filter finds: first the exact number and a question, then an operation that can be undone. */

import { taskFlowError } from '../core/errors.ts';
import { type BulkCreatedDocument, operationCreate, operationRemove } from '../operations/bulk.ts';
import { type OperationContext, perform } from '../operations/operation.ts';
import { frameOf, html, type PageOptions, seeOther, type Visit } from './frame.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { readNow } from './reach.ts';
import { listHref } from './task-filter.tsx';
import { count } from './words.ts';

interface Verb {
  readonly word: string;
  readonly isDangerous: boolean;
  /** What the operation calls it, where that is another word. */
  readonly verb?: string;
}

/** What may be done to all: the word on the page, and whether it changes things for good. */
const verbs: Readonly<Record<string, Verb | undefined>> = {
  retry: { word: 'Retry', isDangerous: false },
  run: { word: 'Run now', isDangerous: false, verb: 'run-now' },
  move: { word: 'Move', isDangerous: false },
  priority: { word: 'Change the priority of', isDangerous: false },
  cancel: { word: 'Cancel', isDangerous: true },
  remove: { word: 'Remove', isDangerous: true },
};

/** From so many on the number is to be typed. */
const typedFrom = 100;

/** Counts what the filter finds, and asks. */
export async function answerMatching(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { q = '', action = '' } = visit.query;
  const change = changeOf(action, visit.query);
  const [now, found] = await Promise.all([readNow(context), begin(context, action, { q, ...change, dryRun: true })]);
  const frame = { ...frameOf(visit, options, now), liveHref: null };
  return html(<Question frame={frame} q={q} action={action} change={change} found={found} />);
}

/** Begins the operation, and leads back to the list, which offers to undo it until it starts. */
export async function answerAll(visit: Visit, context: OperationContext): Promise<Response> {
  const { q = '', action = '', matched = '', typed } = visit.form;
  if (Number(matched) >= typedFrom && typed?.replaceAll(/[,. ]/g, '') !== matched)
    throw taskFlowError('INVALID_OPTION', { what: 'The number', problem: `type ${matched} to go on` });
  const { operation, matched: found } = await begin(context, action, { q, ...changeOf(action, visit.form) });
  const query = new URLSearchParams({ q, done: `${action}.${found}.0`, undo: operation?.id ?? '' });
  return seeOther(visit, `tasks?${query}`);
}

/** Where they move to, or what priority they get: only with the action that needs it. */
function changeOf(
  action: string,
  { queue, priority }: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (action === 'move') return { queue: queue ?? '' };
  return action === 'priority' ? { priority: priority ?? '' } : {};
}

function begin(
  context: OperationContext,
  action: string,
  input: { readonly q: string; readonly dryRun?: boolean },
): Promise<BulkCreatedDocument> {
  if (!Object.hasOwn(verbs, action))
    throw taskFlowError('INVALID_OPTION', { what: 'action', problem: `it is one of ${Object.keys(verbs).join(', ')}` });
  return action === 'remove'
    ? perform(operationRemove, context, input)
    : perform(operationCreate, context, { ...input, verb: verbs[action]?.verb ?? action });
}

interface QuestionProps {
  readonly frame: PageFrame;
  readonly q: string;
  readonly action: string;
  readonly change: Readonly<Record<string, string>>;
  readonly found: BulkCreatedDocument;
}

function Question({ frame, q, action, change, found }: QuestionProps) {
  const { root } = frame;
  const { word = '', isDangerous = false } = verbs[action] ?? {};
  const { matched } = found;
  const number = found.exact ? count(matched) : `${count(matched)} or more`;
  const tasks = `${matched === 1 && found.exact ? '1 task' : `${number} tasks`}${changeWords(change)}`;
  return (
    <Layout title={`${word} ${tasks}`} current="tasks" frame={frame}>
      <div class="title">
        <h1>{`${word} ${tasks}?`}</h1>
      </div>
      <section class="card">
        <form class="body again" method="post" action={`${root}tasks/matching`}>
          <p>
            All that match <code>{q}</code> now and when their turn comes. It begins in 10 s: until then it can be
            undone.
          </p>
          <input type="hidden" name="q" value={q} />
          <input type="hidden" name="action" value={action} />
          {Object.entries(change).map(([name, value]) => (
            <input type="hidden" name={name} value={value} />
          ))}
          <input type="hidden" name="matched" value={String(matched)} />
          {matched < typedFrom ? null : (
            <label>
              {`Type ${count(matched)} to go on`}
              <input class="number-typed" name="typed" required autocomplete="off" inputmode="numeric" />
            </label>
          )}
          <div class="row">
            <a class="button" href={listHref(root, q)}>
              Keep
            </a>
            <button class={isDangerous ? 'button danger' : 'button first'} type="submit" disabled={matched === 0}>
              {`${word} ${tasks}`}
            </button>
          </div>
        </form>
      </section>
    </Layout>
  );
}

/** " to queue email", " to high" */
function changeWords({ queue, priority }: Readonly<Record<string, string>>): string {
  if (queue !== undefined) return ` to queue ${queue}`;
  return priority === undefined ? '' : ` to ${priority}`;
}
