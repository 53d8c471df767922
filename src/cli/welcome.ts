/** Lets in whoever starts a server: the first key of a store, shown once, and a link that signs in once. */

import { fstatSync } from 'node:fs';
import type { Access, AccessKey } from '../core/access.ts';
import { isUnreachable } from '../core/errors.ts';
import type { Store } from '../history/history.ts';
import type { Call } from './command.ts';

/** What is shown this once. */
export interface Welcome {
  /** The first key of the store; `null` where it had one. */
  readonly token: string | null;
  /** Below the address of the server; `null` where no key of an admin is left to sign in with. */
  readonly link: string | null;
}

/**
 * Makes the first key where there is none. Whoever starts a server can read the store, so a link gives them nothing they do not
 * have. A record that is away keeps no server from its tasks: keys are made when it is back.
 */
export async function welcome(call: Call, { access }: Store, actor: string): Promise<Welcome> {
  if (access === undefined) return { token: null, link: null };
  try {
    const first = await access.keys.createFirst({
      kind: 'user',
      label: 'admin',
      role: 'admin',
      scopes: null,
      queues: null,
      createdBy: actor,
      expiresInMs: null,
    });
    // What a file keeps is read by others: a link in a log would sign them in.
    const isShown = first !== null || (call.output.format === 'table' && !isFile(process.stdout.fd));
    return { token: first?.token ?? null, link: isShown ? await signInLink(access, first?.key ?? null) : null };
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    call.output.warn('Keys are in the record, which is away: nobody can sign in until it is back.');
    return { token: null, link: null };
  }
}

/** Keys looked through for one of an admin. */
const lookMax = 200;

/** A link for `key`, or for the newest key of an admin; `null` when there is none. */
export async function signInLink({ keys, sessions }: Access, key: AccessKey | null): Promise<string | null> {
  const candidates = key === null ? await keys.list(null, lookMax) : [key];
  const isAdmin = ({ role, scopes, queues }: AccessKey) => role === 'admin' && scopes === null && queues === null;
  for (const one of candidates.filter(isAdmin))
    if (await keys.isValid(one.id)) return `login/${await sessions.createLink(one.id)}`;
  return null;
}

/** The link as a browser on this machine opens it. */
export function linkUrl(url: string, link: string): string {
  return `${url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')}/${link}`;
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    // A closed output shows nothing to anybody.
    return true;
  }
}
