/** Filters as pages write them: a value of the language, and a filter with one of its terms taken out or put in. */

import type { FilterField } from '../core/filter.ts';
import { formatFilter } from '../core/filter.ts';
import { parseFilter } from '../core/filter-parse.ts';

/** A name as a value of the filter language. */
export function filterWord(text: string): string {
  return /^[\p{L}\p{N}_.-]+$/u.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** The terms of a filter, each as it is written; none of a filter with a mistake. */
export function termsOf(q: string): readonly { readonly field: FilterField; readonly text: string }[] {
  try {
    return parseFilter(q).terms.map((term) => ({ field: term.field, text: formatFilter({ terms: [term] }) }));
  } catch {
    return [];
  }
}

/** The same filter with another term of a field, or without any where `term` is `null`. */
export function withTerm(q: string, field: FilterField, term: string | null): string {
  const others = termsOf(q).filter((each) => each.field !== field);
  return [...others.map(({ text }) => text), ...(term === null ? [] : [term])].join(' ');
}
