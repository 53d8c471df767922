/** What is asked of a server before it is used: whether it is new enough, no standby, and keeps what it confirms. */

import { invariant } from '../../core/assert.ts';
import { taskFlowError } from '../../core/errors.ts';
import { type Durability, refuseWeak } from '../durability.ts';
import { type Statement, statement } from '../sql/driver.ts';
import { identifier } from './schema.ts';
import type { PostgresAddress } from './url.ts';

/** Before Postgres 13 there was no `pg_current_xact_id`. */
const versionMin = 130_000;

/** What a server says of itself, as it holds for this user in this database. */
export const serverFacts = statement<
  [
    version: string,
    isStandby: number,
    fsync: string,
    fullPageWrites: string,
    synchronousCommit: string,
    /** Where synchronous_commit was set, in the words of `pg_settings`. */
    source: string,
    user: string,
    database: string,
  ]
>(
  'server_facts',
  () => `SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('fsync'),
    current_setting('full_page_writes'), current_setting('synchronous_commit'),
    (SELECT source FROM pg_settings WHERE name = 'synchronous_commit'), current_user::text, current_database()::text`,
);

type Facts = typeof serverFacts extends Statement<infer Row> ? Row : never;

/** Takes what {@link serverFacts} answered. Throws STORE_* for a server that will not do, with the next thing to do. */
export function greet([facts]: readonly Facts[], address: PostgresAddress): Durability {
  invariant(facts !== undefined, 'a SELECT without FROM has one row');
  const { masked, prepares, durability: wanted } = address;
  refuseOthers(facts, masked);
  const found = durabilityOf(facts);
  refuseWeak(found, { masked, wanted, hintFor: () => hintFor(facts) });
  return prepares ? found : { ...found, detail: `${found.detail}, behind a pooler: new tasks are found by the poll` };
}

function refuseOthers([version, isStandby]: Facts, masked: string): void {
  if (Number(version) < versionMin) {
    const needed = nameOf(String(versionMin));
    const problem = `${masked} is Postgres ${nameOf(version)}, and this program needs ${needed}`;
    throw taskFlowError('STORE_UNREACHABLE', { problem }, { hint: 'Update the server.' });
  }
  if (isStandby === 1) {
    const hint = 'Give the URL of the primary.';
    throw taskFlowError('STORE_READ_ONLY', { file: masked, problem: 'the server is a standby' }, { hint });
  }
}

/** Without fsync or whole pages a power cut may leave no database at all. */
function durabilityOf([version, , fsync, fullPageWrites, synchronousCommit]: Facts): Durability {
  const pages = fullPageWrites === 'on' ? '' : `, full_page_writes=${fullPageWrites}`;
  const detail = `version ${nameOf(version)}, synchronous_commit=${synchronousCommit}, fsync=${fsync}${pages}`;
  if (fsync !== 'on' || fullPageWrites !== 'on') return { durability: 'volatile', detail };
  return { durability: synchronousCommit === 'off' ? 'standard' : 'strict', detail };
}

/** The setting to change, where it was set, and what to write where less will do. */
function hintFor([, , fsync, fullPageWrites, , source, user, database]: Facts): string {
  const off = [
    ...(fsync === 'on' ? [] : ['fsync = on']),
    ...(fullPageWrites === 'on' ? [] : ['full_page_writes = on']),
  ];
  if (off.length > 0)
    return `Set ${off.join(' and ')} in postgresql.conf and reload it; or take it as it is: ?durability=any`;
  return `${commitHint(source, identifier(user), identifier(database))}; or ask for less: ?durability=standard`;
}

/** Set for a role or a database it wins over the file of the server. */
function commitHint(source: string, role: string, database: string): string {
  switch (source) {
    case 'user':
      return `ALTER ROLE ${role} RESET synchronous_commit`;
    case 'database':
      return `ALTER DATABASE ${database} RESET synchronous_commit`;
    case 'database user':
      return `ALTER ROLE ${role} IN DATABASE ${database} RESET synchronous_commit`;
    case 'client':
    case 'session':
      return 'Leave synchronous_commit out of the URL, PGOPTIONS and the settings of the pooler';
    default:
      return 'Set synchronous_commit = on in postgresql.conf and reload it';
  }
}

/** 150004 is 15.4. */
function nameOf(version: string): string {
  const number = Number(version);
  return `${Math.floor(number / 10_000)}.${number % 10_000}`;
}
