/** What the items of one batch share is sent once: each names its form by a number. */

import { idLength } from '../../core/ids.ts';

/** Ids as `idList` of lua/prelude.lua reads them: of one length, with nothing between. */
export function idText(ids: readonly string[]): string {
  return ids.every((id) => id.length === idLength) ? ids.join('') : JSON.stringify(ids);
}

/** Ids as `readIds` of lua/accept.lua reads them: with spaces between, as events have them. */
export function spacedIds(ids: readonly string[]): string {
  return ids.every((id) => id.length === idLength) ? ids.join(' ') : JSON.stringify(ids);
}

/** Collects forms. `isLike` is the cheap question whether two neighbours share theirs. */
export function createForms<Item>(isLike: (one: Item, other: Item) => boolean, formOf: (item: Item) => string) {
  const numbers = new Map<string, number>();
  const of: number[] = [];
  const runs: number[] = [];
  let last: Item | undefined;
  let number = 0;
  return {
    add(item: Item): void {
      if (last === undefined || !isLike(last, item)) {
        const form = formOf(item);
        number = numbers.get(form) ?? numbers.size + 1;
        numbers.set(form, number);
        last = item;
      }
      of.push(number);
      if (runs.at(-2) === number) runs.push((runs.pop() ?? 0) + 1);
      else runs.push(number, 1);
    },
    /** All forms as a JSON list, and the number of each item with spaces between: nothing when there is one form. */
    args: (): readonly [forms: string, of: string] => [
      `[${[...numbers.keys()].join(',')}]`,
      numbers.size > 1 ? of.join(' ') : '',
    ],
    /** The same, but a number and how many have it, again and again. */
    runs: (): readonly [forms: string, of: string] => [
      `[${[...numbers.keys()].join(',')}]`,
      numbers.size > 1 ? runs.join(' ') : '',
    ],
  };
}
