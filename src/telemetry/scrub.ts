/** Takes secrets out of a text that was written for people: what looks like one is one. */

/** Each leaves JSON as it was around it: none of them takes a quote or a backslash. */
const secrets: readonly (readonly [RegExp, string])[] = [
  // user:password@ in an address
  [/([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'\\]+@/gi, '$1***@'],
  // Keys of TaskFlow.
  [/\btf_[A-Za-z0-9_-]{6,}/g, 'tf_***'],
  [/\b(Bearer|Basic)\s+[^\s"'\\,]+/gi, '$1 ***'],
  [/\b((?:password|passwd|secret|token|api[-_]?key|access[-_]?key|cookie|session)[=:]\s?)[^\s"'\\&,;]+/gi, '$1***'],
];

/** The text with `***` in place of passwords in addresses, keys, tokens and cookies. */
export function scrub(text: string): string {
  return secrets.reduce((scrubbed, [pattern, put]) => scrubbed.replace(pattern, put), text);
}
