/** What was just done, said once on the page it led to, with the button that undoes it. The address holds words and numbers, never a sentence. */

import type { PageFrame } from './layout.tsx';
import { count } from './words.ts';

/** What has happened already, and what happens when the time to undo it is over. */
const words: Readonly<Record<string, readonly [done: string, begun: string] | undefined>> = {
  retry: ['Retried', 'Retrying'],
  cancel: ['Cancelled', 'Cancelling'],
  remove: ['Removed', 'Removing'],
  run: ['Made due', 'Making due'],
  move: ['Moved', 'Moving'],
  priority: ['Changed the priority of', 'Changing the priority of'],
};

/** `retry.3.1`: three were retried, one could not be. With an operation to stop it has not begun. `stopped.3`: after three. Anything else says nothing. */
export function Flash({ frame: { done, undo, root, here } }: { readonly frame: PageFrame }) {
  if (done === 'undone') return <Said words="Undone: nothing was changed." />;
  const [, how, before = ''] = /^(stopped|stopping)\.(\d{1,9})$/.exec(done ?? '') ?? [];
  if (how !== undefined) return <Said words={stopWords(how === 'stopping', Number(before))} />;
  const [, verb = '', did = '', not = ''] = /^(\w+)\.(\d{1,9})\.(\d{1,6})$/.exec(done ?? '') ?? [];
  const [past, present] = (Object.hasOwn(words, verb) ? words[verb] : undefined) ?? [];
  if (past === undefined) return null;
  if (undo !== null && /^\w{26}$/.test(undo))
    return (
      <Said words={`${present} ${tasks(Number(did))} in 10 s.`}>
        <form method="post" action={`${root}operations/${undo}/stop`}>
          <input type="hidden" name="back" value={here} />
          <button class="button small" type="submit">
            Undo
          </button>
        </form>{' '}
        <a class="strong" href={`${root}tasks/${undo}`}>
          Details
        </a>
      </Said>
    );
  const rest = Number(not) === 0 ? '' : ` ${tasks(Number(not))} could not be: they had gone on meanwhile.`;
  return (
    <Said
      words={Number(did) === 0 && rest === '' ? 'No task was selected.' : `${past} ${tasks(Number(did))}.${rest}`}
    />
  );
}

function stopWords(runs: boolean, did: number): string {
  const stay = did === 1 ? 'was done so far, and stays so' : 'were done so far, and stay so';
  return `${runs ? 'Stopping' : 'Stopped'}: ${tasks(did)} ${stay}.`;
}

const tasks = (number: number): string => (number === 1 ? '1 task' : `${count(number)} tasks`);

function Said({ words: text, children }: { readonly words: string; readonly children?: unknown }) {
  return (
    <div class="flash" role="status">
      <span>{text}</span> {children as never}
    </div>
  );
}
