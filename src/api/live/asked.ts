/** What a client of a WebSocket asks for, read and checked. */

import { taskFlowError } from '../../core/errors.ts';

/** `{ "follow": ["all"], "after": "…", "unfollow": ["counts"] }`, each of them if there is something to say. */
export interface Asked {
  readonly follow: readonly string[];
  readonly unfollow: readonly string[];
  readonly after: string | undefined;
}

const fields: ReadonlySet<string> = new Set(['follow', 'unfollow', 'after']);

/** Throws INVALID_JSON and INVALID_OPTION. */
export function readAsked(text: string): Asked {
  const asked = parse(text);
  const unknown = Object.keys(asked).find((name) => !fields.has(name));
  if (unknown !== undefined)
    throw taskFlowError('INVALID_OPTION', {
      what: unknown.slice(0, 60),
      problem: 'a message has follow, unfollow, after',
    });
  const { after } = asked;
  if (after !== undefined && typeof after !== 'string')
    throw taskFlowError('INVALID_OPTION', { what: 'after', problem: 'it is not the cursor of a message' });
  return { follow: topicsOf(asked, 'follow'), unfollow: topicsOf(asked, 'unfollow'), after };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === 'object' && read !== null && !Array.isArray(read)) return read as Record<string, unknown>;
  } catch (cause) {
    throw taskFlowError('INVALID_JSON', { what: 'The message', problem: 'it cannot be read' }, { cause });
  }
  throw taskFlowError('INVALID_JSON', { what: 'The message', problem: 'it is not an object' });
}

function topicsOf(asked: Readonly<Record<string, unknown>>, name: 'follow' | 'unfollow'): readonly string[] {
  const { [name]: topics = [] } = asked;
  if (Array.isArray(topics) && topics.every((topic) => typeof topic === 'string' && !topic.includes(',')))
    return topics;
  throw taskFlowError('INVALID_OPTION', { what: name, problem: 'it is not a list of topics' });
}
