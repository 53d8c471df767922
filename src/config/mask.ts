/** Hides passwords in what is shown. */

/** `redis://user:secret@host` → `redis://user:***@host`; also `?password=…` and the like. */
export function maskUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:\s]*):[^@]*@/i, '$1:***@')
    .replace(/([?&](?:\w*password|pass|token|secret)=)[^&]*/gi, '$1***');
}
