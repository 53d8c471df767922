/** The dashboard below `/admin/tasks` of a program of your own, which says who may look. */

import { dashboard, type Visitor } from 'taskflowjs';

export const tf = dashboard({
  basePath: '/admin/tasks',
  async authorize(request) {
    const user = await userOf(request);
    return user ?? Response.redirect(new URL('/login', request.url));
  },
});

/** Stands for the sessions your program has. */
async function userOf(request: Request): Promise<Visitor | null> {
  const session = /(?:^|; )session=(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1];
  return session === undefined ? null : { name: `session ${session.slice(0, 6)}`, role: 'operator' };
}
