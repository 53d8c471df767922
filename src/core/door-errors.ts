/** The errors of who asks and how: keys, sessions, limits on callers, and what is no request. A part of the table of errors, in a file of its own since that has many. */

import { type ErrorKind, kind } from './error-kind.ts';

export const doorErrors = {
  UNAUTHENTICATED: kind(
    401,
    5,
    'Not let in: {problem}.',
    'Send a key as "Authorization: Bearer tf_…"; taskflow token create makes one.',
  ),
  TOO_MANY_TRIES: kind(
    429,
    5,
    'There were too many wrong keys: the next try may be made in {seconds} s.',
    'Nobody is locked out: wait, and use the right one.',
    true,
  ),
  RATE_LIMITED: kind(
    429,
    1,
    '{whose} asks for more than {rate}, and has used up what it may ask at once.',
    'Wait as long as Retry-After says; POST /api/v1/tasks/batch takes a thousand tasks in one request.',
    true,
  ),
  TOO_MANY_CONNECTIONS: kind(
    503,
    6,
    '{whose} has {max} connections, which is as many as it may have.',
    'Keep connections alive and use them again; server.connections.all and server.connections.address say how many there may be.',
    true,
  ),
  ANSWERS_UNREAD: kind(
    429,
    1,
    'This address has not read {max} of what it was answered.',
    'Read the answers, or close the connections they wait on.',
    true,
  ),
  REQUEST_TOO_SLOW: kind(408, 6, 'The request did not arrive in time.', 'Send it in one go.', true),
  HEADERS_TOO_LARGE: kind(431, 2, 'The headers are more than {max}.'),
  NOT_HTTP: kind(400, 2, 'What was sent is no request of HTTP/1.1: {problem}.'),
  TOO_MANY_KEYS: kind(
    409,
    7,
    'There are {max} keys already.',
    'taskflow token list   shows which are of no use any more',
  ),
  TOO_MANY_QUEUES: kind(
    409,
    7,
    'There are {max} queues already, and "{queue}" would be one more.',
    'Tell customers apart by the group of a task, not by its queue.',
  ),
  KEY_NOT_FOUND: kind(404, 4, 'There is no key {id}.', 'taskflow token list'),
  SESSION_NOT_FOUND: kind(404, 4, 'There is no session {id}.', 'It may have ended.'),
  LIVE_FULL: kind(
    429,
    1,
    '{whose} has {max} live {what}, which is as many as it may have.',
    'Close one, let one connection follow several topics, or ask again and again instead.',
    true,
  ),
  FORBIDDEN: kind(403, 5, '{operation} needs the role {needed}; {actor} is {role}.'),
  QUEUE_FORBIDDEN: kind(403, 5, 'The key of {actor} is for the queues {queues}, not for "{queue}".'),
  SCOPE_MISSING: kind(403, 5, '{operation} needs the scope {needed}; the key of {actor} has {given}.'),
  HOST_NOT_ALLOWED: kind(
    403,
    5,
    'This server does not answer for the host "{host}".',
    'Use http://127.0.0.1:{port}, or name the host in the configuration.',
  ),
  CROSS_ORIGIN: kind(403, 5, 'A page of another origin ({origin}) may not change anything here.'),
  METHOD_NOT_ALLOWED: kind(405, 2, '{method} is not allowed here.', 'Allowed: {allowed}'),
  UNSUPPORTED_MEDIA_TYPE: kind(415, 2, 'The body must be {wanted}, not {type}.'),
} as const satisfies Record<string, ErrorKind>;
