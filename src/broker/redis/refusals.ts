/** Why there is no connection, in one line with the next thing to do: for who has just written the URL. */

import type { ErrorCode } from '../../core/error-table.ts';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { isLostClient } from './errors.ts';
import type { RedisAddress } from './url.ts';

/** What the user of the URL has to be allowed, as `docs/guide/redis.md` explains. `{ns}` stands for the namespace. */
const rights =
  '~{{ns}}:* &{{ns}}:* +@read +@write +@scripting +@pubsub +@connection -@dangerous +time +info +config|get';

interface Refusal {
  /** Of the message, or of the code of Node. */
  readonly says: RegExp;
  readonly hint: string;
  readonly code?: ErrorCode;
}

const certificate = 'Name the certificate of its authority: rediss://…?ca=ca.pem';
const login = 'Check the user and the password in the URL: redis://user:password@host:6379';

const refusals: readonly Refusal[] = [
  { says: /^(WRONGPASS|NOAUTH)|invalid password/, hint: login },
  {
    says: /^NOPERM|^ERR The user executing the script|^ERR ACL failure/,
    hint: `Let its administrator give it: ${rights}`,
    code: 'STORE_READ_ONLY',
  },
  { says: /^DENIED/, hint: 'Give the server a password (requirepass or an ACL user) and name it in the URL.' },
  { says: /max number of clients/, hint: 'Raise maxclients of the server: each process has two or three connections.' },
  {
    says: /^(MOVED|CLUSTERDOWN|CROSSSLOT)/,
    hint: 'redis-cli cluster info tells which slots of the cluster are served.',
  },
  {
    says: /^(MISCONF|NOREPLICAS)/,
    hint: 'The server takes no writes: its log and redis-cli info persistence tell why.',
  },
  { says: /^(ENOTFOUND|EAI_AGAIN)$/, hint: 'Check the name of the host in the URL.' },
  { says: /^ECONNREFUSED$/, hint: 'Check host and port in the URL, and that Redis runs there.' },
  { says: /^(ENOENT|EACCES)$/, hint: 'Check the files that the URL names.' },
  { says: /CERT|SIGNATURE|UNABLE_TO_|ERR_TLS|^ERR_OSSL/, hint: certificate },
  { says: /^(EPROTO|ERR_SSL)/, hint: 'Where the server wants no TLS the URL begins with redis://.' },
  { says: /[Ss]entinel/, hint: 'Check the sentinels in the URL, and the name of the master behind the slash.' },
];

/** A server that wants TLS closes a connection on which nobody speaks it; one that does not waits for the end of the line. */
function hintOnTls(error: Error, { tls }: RedisAddress): string | undefined {
  if (tls === null && (isLostClient(error) || codeOf(error) === 'ECONNRESET'))
    return 'Where the server wants TLS the URL begins with rediss://.';
  return tls !== null && codeOf(error) === 'ETIMEDOUT'
    ? 'Where it wants no TLS the URL begins with redis://.'
    : undefined;
}

/** The TaskFlowError for why a connection could not be used; a bug is returned as it is. */
export function translateRefusal(error: unknown, address: RedisAddress, namespace: string): unknown {
  if (error instanceof TaskFlowError || !(error instanceof Error)) return error;
  const found = refusals.find(({ says }) => says.test(codeOf(error)) || says.test(error.message));
  const problem = wordsOf(error);
  const extra = { cause: error, ...hintOf(found?.hint ?? hintOnTls(error, address), namespace) };
  if (found?.code === 'STORE_READ_ONLY') return taskFlowError(found.code, { file: address.masked, problem }, extra);
  return taskFlowError('STORE_UNREACHABLE', { problem: `${address.masked}: ${problem}` }, extra);
}

function hintOf(hint: string | undefined, namespace: string): { readonly hint?: string } {
  return hint === undefined ? {} : { hint: hint.replaceAll('{ns}', namespace) };
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Of several tries at one name the first tells enough; it is one line. */
function wordsOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const told = first instanceof Error ? first : error;
  if (isLostClient(told)) return 'the server closed the connection at once';
  return (told.message || codeOf(told) || told.name).replace(/\s+/g, ' ').trim();
}
