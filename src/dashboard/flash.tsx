/** What was just done, said once on the page it led to. The address holds a word and numbers, never a sentence. */

import { count } from './words.ts';

const words: Readonly<Record<string, string>> = {
  retry: 'Retried',
  cancel: 'Cancelled',
  remove: 'Removed',
  run: 'Made due',
  move: 'Moved',
  priority: 'Changed the priority of',
};

/** `retry.3.1`: three were retried, one could not be. Anything else says nothing. */
export function Flash({ done }: { readonly done: string | null }) {
  const [, verb = '', did = '', not = ''] = /^(\w+)\.(\d{1,6})\.(\d{1,6})$/.exec(done ?? '') ?? [];
  const word = Object.hasOwn(words, verb) ? words[verb] : undefined;
  if (word === undefined) return null;
  const tasks = (number: number) => (number === 1 ? '1 task' : `${count(number)} tasks`);
  const rest = Number(not) === 0 ? '' : ` ${tasks(Number(not))} could not be: they had gone on meanwhile.`;
  return (
    <div class="flash" role="status">
      {Number(did) === 0 && rest === '' ? 'No task was selected.' : `${word} ${tasks(Number(did))}.${rest}`}
    </div>
  );
}
