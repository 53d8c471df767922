/** What a browser keeps of a person's choices for the pages: the theme, the columns of lists. Cookies, so that pages come as chosen without a script. */

/** Before the name of each. */
const prefix = 'tf-';
/** Those there are; a cookie of a session is named for a port. */
const known: ReadonlySet<string> = new Set(['theme', 'columns']);

/** By their names without the prefix. What no page wrote is left out. */
export function readChoices(request: Request): Readonly<Record<string, string>> {
  const pairs = (request.headers.get('cookie') ?? '').split(';').flatMap((pair): [string, string][] => {
    const [, name = '', value = ''] = /^\s*tf-(\w{1,20})=([\w.-]{1,200})\s*$/.exec(pair) ?? [];
    return known.has(name) ? [[name, value]] : [];
  });
  return Object.fromEntries(pairs);
}

/** The `Set-Cookie` of a choice, for a year; `null` takes it away. Nothing of it is a secret: a script of the page reads it before the first paint. */
export function choiceHeader(name: string, value: string | null): string {
  return `${prefix}${name}=${value ?? ''}; Path=/; Max-Age=${value === null ? 0 : 31_536_000}; SameSite=Lax`;
}
