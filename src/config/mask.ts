/** Hides passwords in what is shown. */

/** `redis://user:secret@host` → `redis://user:***@host`; also `?password=…` and the like. */
export function maskUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:\s]*):[^@]*@/i, '$1:***@')
    .replace(/([?&](?:password|pass|token|secret|sslpassword)=)[^&]*/gi, '$1***');
}
