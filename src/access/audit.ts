/** The audit: what was done by whom, stored before it is done, with how it ended. Rows of many at once are one transaction. */

import { eachStatement, type SqlDriver, type SqlValue, statement } from '../broker/sql/driver.ts';
import type { Audit, AuditBegin, AuditEnd, AuditQuery, AuditRow } from '../core/access.ts';
import type { Chance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { within } from '../core/patience.ts';
import { type Clock, onNextTurn } from '../core/time.ts';

const insertRows = eachStatement(
  'audit_begin',
  {
    id: 'text',
    at: 'bigint',
    actor: 'text',
    key: 'text',
    address: 'text',
    request: 'text',
    operation: 'text',
    line: 'text',
    input: 'text',
    before: 'text',
  },
  (value, from) => `INSERT INTO audit (id, at, actor, key_id, address, request_id, operation, line, input, before_state)
    SELECT ${value.id}, ${value.at}, ${value.actor}, ${value.key}, ${value.address}, ${value.request}, ${value.operation},
      ${value.line}, ${value.input}, ${value.before} ${from} WHERE true`,
);

const endRows = eachStatement('audit_end', { id: 'text', outcome: 'text', after: 'text' }, (value, from, dialect) =>
  dialect.name === 'sqlite'
    ? `UPDATE audit SET outcome = ${value.outcome}, after_state = ${value.after} WHERE id = ${value.id}`
    : `UPDATE audit SET outcome = ${value.outcome}, after_state = ${value.after} ${from} WHERE id = ${value.id}`,
);

/** Inputs: from when, how many. */
const deleteOld = statement<[id: string]>(
  'audit_prune',
  () => 'DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2) RETURNING id',
);

const columns =
  'id, at, actor, key_id, address, request_id, operation, line, input, before_state, after_state, outcome';

type Row = [
  id: string,
  at: number,
  actor: string,
  keyId: string | null,
  address: string | null,
  requestId: string | null,
  operation: string,
  line: string,
  input: string,
  before: string | null,
  after: string | null,
  outcome: string | null,
];

interface Waiting {
  readonly entry: AuditBegin;
  readonly resolve: (id: string) => void;
  readonly reject: (error: unknown) => void;
}

export function createAudit(driver: SqlDriver, clock: Clock, chance: Chance): Audit {
  let now = 0;
  const ids = createIds({ now: () => now }, chance);
  let beginning: Waiting[] = [];
  let ending: (readonly [id: string, end: AuditEnd])[] = [];
  let running: Promise<void> | null = null;

  const storeBatch = async (): Promise<void> => {
    const [begun, ended] = [beginning.slice(0, limits.auditBatchMax), ending.slice(0, limits.auditBatchMax)];
    beginning = beginning.slice(begun.length);
    ending = ending.slice(ended.length);
    try {
      const given = await driver.transaction(async (tx) => {
        now = await tx.wallMs();
        const names = begun.map(() => ids.next());
        if (begun.length > 0)
          await tx.each(
            insertRows,
            begun.map(({ entry }, index) => rowOf(names[index] ?? '', now, entry)),
          );
        if (ended.length > 0)
          await tx.each(
            endRows,
            ended.map(([id, { outcome, after }]) => [id, outcome, textOf(after)]),
          );
        return names;
      });
      for (const [index, { resolve }] of begun.entries()) resolve(given[index] ?? '');
    } catch (error) {
      // What could not be noted is not done. How the others ended stays open: it was done, and nobody can take it back.
      for (const { reject } of begun) reject(error);
    }
  };

  const storeAll = async (): Promise<void> => {
    // Not before whoever asked has `running`.
    await Promise.resolve();
    while (beginning.length + ending.length > 0) await storeBatch();
    // At once: what comes now must not take this run, which is over, for its own.
    running = null;
  };

  /** While one transaction is under way the next one gathers. */
  const store = (): Promise<void> => {
    running ??= storeAll();
    return running;
  };

  return {
    begin: (entry) =>
      new Promise((resolve, reject) => {
        if (beginning.length >= limits.auditWaitingMax) {
          reject(taskFlowError('STORE_UNREACHABLE', { problem: 'too much waits to be noted in the audit' }));
          return;
        }
        beginning.push({ entry, resolve, reject });
        void store();
      }),
    end: (id, end) => {
      ending.push([id, end]);
      void store();
    },
    settled: () => {
      const stored = async (): Promise<void> => {
        do {
          await store();
          // Who waited for a beginning tells the end behind it.
          await new Promise<void>((resolve) => onNextTurn(resolve));
        } while (beginning.length + ending.length > 0);
      };
      return within(clock, limits.auditSettleMs, stored()).catch(() => undefined);
    },
    list: async (query) => {
      await store();
      const { text, values } = listText(query);
      const rows = await driver.read((tx) => tx.filter<Row>(text, ...values));
      return rows.map(auditRow);
    },
    prune: async (keepMs) => {
      const before = (await driver.wallMs()) - keepMs;
      return (await driver.writeOne(deleteOld, before, limits.auditBatchMax)).length;
    },
  };
}

function listText({ actor, operation, from, to, after, limit }: AuditQuery) {
  const values: SqlValue[] = [];
  const conditions = (
    [
      ['actor =', actor],
      ['operation =', operation],
      ['at >=', from],
      ['at <', to],
      ['id <', after],
    ] as const
  ).flatMap(([condition, value]) => (value === null ? [] : [`${condition} $${values.push(value)}`]));
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return { text: `SELECT ${columns} FROM audit${where} ORDER BY id DESC LIMIT $${values.push(limit)}`, values };
}

function rowOf(id: string, at: number, entry: AuditBegin): SqlValue[] {
  const { actor, keyId, address, requestId, operation, text, input, before } = entry;
  return [id, at, actor, keyId, address, requestId, operation, cut(text), textOf(input) ?? 'null', textOf(before)];
}

function auditRow(row: Row): AuditRow {
  const [id, at, actor, keyId, address, requestId, operation, text, input, before, after, outcome] = row;
  const read = (json: string | null): unknown => (json === null ? null : JSON.parse(json));
  const states = { input: read(input), before: read(before), after: read(after) };
  return { id, at, actor, keyId, address, requestId, operation, text, outcome, ...states };
}

/** JSON; what is too long is told by its beginning. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const text = JSON.stringify(value) ?? 'null';
  return text.length <= limits.auditTextMax ? text : JSON.stringify({ cut: text.slice(0, limits.auditTextMax / 2) });
}

function cut(text: string): string {
  return text.length <= limits.auditTextMax ? text : `${text.slice(0, limits.auditTextMax - 1)}…`;
}
