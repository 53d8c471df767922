/** Hides passwords in what is shown. */

/** `redis://user:secret@host` → `redis://user:***@host`; also `?password=…` and the like. */
export function maskUrl(url: string): string {
  return (
    url
      // To the last @ before the path: a password may have one that is not escaped.
      .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:\s]*):[^/?#\s]*@/i, '$1:***@')
      .replace(/([?&](?:\w*password|pass|token|secret)=)[^&]*/gi, '$1***')
  );
}
