/** Names that are made of inputs, and what of an input nobody may see: a key, a group and a limit are shown to everybody. */

import { invalidOption } from './option-names.ts';
import type { Redaction } from './redact.ts';
import { compileTemplate } from './template.ts';

/** The templates of a definition. */
export interface NameTemplates {
  readonly key: string | null;
  readonly group: string | null;
  readonly limits?: readonly { readonly key: string | null }[];
}

/** Throws INVALID_OPTION for a template that would show what is hidden. `at` is where the definition stands, in front of its options. */
export function checkHiddenNames(
  { key, group, limits = [] }: NameTemplates,
  redaction: Redaction | null,
  at = '',
): void {
  if (redaction === null) return;
  const named = [['key', key], ['group', group], ...limits.map((limit) => ['limits', limit.key] as const)] as const;
  for (const [what, template] of named) {
    if (template === null) continue;
    const hidden = compileTemplate(template, { what }).paths.find((path) => redaction.hides('input', path));
    if (hidden !== undefined)
      throw invalidOption(
        `${at}${what}`,
        `{${hidden.join('.')}} is hidden by redact, and what is made of it is shown in every list: take another field, or a hash of it that the input has`,
      );
  }
}
