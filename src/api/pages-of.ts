/** All pages of a list, one after the other, as somebody wants them. */

import type { ApiCallOptions } from './api-client.ts';

/** An answer that says where the next page begins; `null` on the last. */
interface Page {
  readonly next: string | null;
}

/**
 * The pages of a list from a client, each asked for when it is wanted: whoever stops early asks for no more. Rejects as the call does; what
 * came before is not lost, and `input.after` with the `next` of the last page goes on from there.
 *
 * @example
 * for await (const { tasks } of pagesOf(client.task.list, { q: 'state:failed' })) for (const { id } of tasks) console.log(id);
 */
export async function* pagesOf<List extends (input: never, options?: ApiCallOptions) => Promise<Page>>(
  list: List,
  input: NonNullable<Parameters<List>[0]> & { readonly after?: string | undefined },
  options: ApiCallOptions = {},
): AsyncGenerator<Awaited<ReturnType<List>>, void, undefined> {
  const ask = list as unknown as (input: object, options: ApiCallOptions) => Promise<Awaited<ReturnType<List>>>;
  const fields: { readonly after?: string | undefined } = input;
  for (let after = fields.after; ; ) {
    const page = await ask(after === undefined ? fields : { ...fields, after }, options);
    yield page;
    // A page that leads to itself would be asked for without end.
    if (page.next === null || page.next === after) return;
    after = page.next;
  }
}
