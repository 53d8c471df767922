/** What Postgres and the network to it say, in the words of TaskFlow. */

import { TaskFlowError, taskFlowError } from '../../core/errors.ts';

/** SQLSTATE of Postgres, or the code of an error of the operating system. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Deadlock, serialization, and a row that another transaction has stored at the same time: the whole step is done again. */
const raced: ReadonlySet<string> = new Set(['40P01', '40001', '23505']);

/** Whether the transaction lost a race, and would not have to lose it again. */
export function isRaced(error: unknown): boolean {
  return raced.has(codeOf(error));
}

/** Whether a whole step has refused itself: a text that says why it does not hold is no boolean. */
export function isOutdated(error: unknown): boolean {
  return codeOf(error) === '22P02';
}

/** Whether a statement was too much for the server: a value for an index, or a notification for those that wait to be heard. */
export function isTooMuch(error: unknown): boolean {
  return codeOf(error).startsWith('54');
}

/** Whether a statement was refused for an error of one before it in the transaction. */
export function isAfterError(error: unknown): boolean {
  return codeOf(error) === '25P02';
}

/** Whether a statement was refused for its values: they are none, break a rule of the table, or do not fit into an index. */
export function isRefusal(error: unknown): boolean {
  return /^(21|22|23|54)/.test(codeOf(error));
}

/** Whether the connection is of no use any more. */
export function isLost(error: unknown): boolean {
  if (error instanceof TaskFlowError || !(error instanceof Error)) return false;
  const code = codeOf(error);
  // With the last two the server ends a connection whose transaction stood still, or took too long.
  if (/^(08|57P0|25P03|25P04)/.test(code)) return true;
  // Errors of a statement have a code of five characters with a digit (EPIPE has none); what else comes from the client is about
  // its connection.
  return !/^(?=.*\d)[0-9A-Z]{5}$/.test(code) && isOfConnection(error, code);
}

function isOfConnection(error: Error, code: string): boolean {
  return code.startsWith('E') || /connection|timeout|terminated/i.test(error.message);
}

/** Whether the server has no memory, no connection or no disk for it: none of that is about the statement. */
function isWithoutMeans(code: string): boolean {
  return /^(53|58)/.test(code);
}

/** The TaskFlowError for an error of Postgres at `where` (a masked URL); anything else is returned as it is. */
export function translate(error: unknown, where: string): unknown {
  if (error instanceof TaskFlowError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  const told = known(code, error, where);
  if (told !== null) return told;
  if (isLost(error) || isWithoutMeans(code)) return unreachable(`${where}: ${wordsOf(error)}`, error);
  // A broken constraint or statement is a bug, not an operating error.
  return error;
}

function known(code: string, error: Error, where: string): TaskFlowError | null {
  const problem = wordsOf(error);
  const hint = hints.get(code) ?? hintOfClient(problem);
  if (hint !== null) return unreachable(`${where}: ${problem}`, error, hint);
  switch (code) {
    case '42501':
      return taskFlowError(
        'STORE_READ_ONLY',
        { file: where, problem },
        { cause: error, hint: 'Let an owner run `taskflow db migrate`, and grant this user its schema and tables.' },
      );
    case '25006':
      return taskFlowError(
        'STORE_READ_ONLY',
        { file: where, problem },
        { cause: error, hint: 'This is a standby or a read-only database: give the URL of the primary.' },
      );
    case '53100':
      return taskFlowError('STORE_FULL', { file: where }, { cause: error });
    case '55P03':
    case '40P01':
    case '40001':
    case '57014':
      return taskFlowError(
        'STORE_LOCKED',
        { file: where, problem },
        { cause: error, hint: 'Who holds it is in pg_stat_activity and pg_locks.' },
      );
    case 'XX001':
    case 'XX002':
      return taskFlowError(
        'STORE_CORRUPT',
        { file: where, problem },
        { cause: error, hint: 'Stop TaskFlow and restore a backup of the database.' },
      );
    default:
      return null;
  }
}

const password = 'Check the user and the password in the URL, and pg_hba.conf of the server.';
const certificate = 'Name the certificate of its authority: ?sslmode=verify-full&sslrootcert=ca.pem';
const files = 'Check the files that the URL names: sslrootcert, sslcert, sslkey.';
const host = 'Check the name of the host in the URL.';

/** Who is not there, or has no room, may be later; all else that has a hint is somebody's to change. */
const passing: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EAI_AGAIN', '53300']);

/** Whether the server may be there later without anybody changing its URL or its settings. */
export function isOutage(error: unknown): error is TaskFlowError {
  if (!(error instanceof TaskFlowError)) return false;
  if (error.code === 'STORE_LOCKED' || error.code === 'STORE_FULL') return true;
  const { cause } = error;
  if (error.code !== 'STORE_UNREACHABLE' || !(cause instanceof Error)) return false;
  const code = codeOf(cause);
  // A socket of this machine is a file that is there while the server runs.
  const isSocket = code === 'ENOENT' && 'syscall' in cause && cause.syscall === 'connect';
  if (passing.has(code) || isSocket) return true;
  return (isLost(cause) || isWithoutMeans(code)) && !hints.has(code) && hintOfClient(wordsOf(cause)) === null;
}

/** What to do about a server that cannot be reached, or does not let us in. */
const hints: ReadonlyMap<string, string> = new Map([
  ['28P01', password],
  ['28000', password],
  ['08P01', 'Behind PgBouncer the URL needs ?prepare=false.'],
  ['3D000', 'Make the database first: createdb <name>'],
  ['53300', 'Raise max_connections of the server, or give each process fewer: ?pool=4'],
  ['ENOTFOUND', host],
  ['EAI_AGAIN', host],
  ['ECONNREFUSED', 'Check host and port in the URL, and that Postgres runs there.'],
  ['SELF_SIGNED_CERT_IN_CHAIN', certificate],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', certificate],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', certificate],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', certificate],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'The certificate is for another host: write its name in the URL.'],
  ['CERT_HAS_EXPIRED', 'The server needs a new certificate.'],
  ['ENOENT', files],
  ['EACCES', files],
]);

/** The same for what the client says without a code. */
function hintOfClient(problem: string): string | null {
  if (problem.startsWith('SASL')) return password;
  if (/not support SSL/.test(problem)) return 'Turn TLS on in the server (ssl = on), or leave sslmode out of the URL.';
  return null;
}

function unreachable(problem: string, cause: Error, hint?: string): TaskFlowError {
  return taskFlowError('STORE_UNREACHABLE', { problem }, hint === undefined ? { cause } : { cause, hint });
}

/** Of several tries at one name the first tells enough; it is one line. */
function wordsOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const told = first instanceof Error ? first : error;
  return (told.message || codeOf(told) || told.name).replace(/\s+/g, ' ').trim();
}
