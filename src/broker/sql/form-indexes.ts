/**
 * A store of SQL and a record of one elsewhere are the same tables, and are asked different things of the tasks in them: what only one of
 * them asks is indexed there alone, for each index costs every task that is stored.
 */

import { type Dialect, type SqlDriver, type SqlTransaction, statement } from './driver.ts';

export type Form = 'live' | 'record';

/** By name, what each is on. */
type Indexes = Readonly<Record<string, string>>;

/** What is claimed next, what becomes due, and who has to be judged: as the migrations have made them. */
const liveIndexes = ({ name }: Dialect): Indexes => ({
  tasks_ready: "tasks (queue, priority, due_at, id) WHERE state = 'queued' AND grp IS NULL",
  tasks_ready_group: "tasks (queue, grp, priority, due_at, id, check_at) WHERE state = 'queued' AND grp IS NOT NULL",
  tasks_ready_due: `tasks (queue, due_at) WHERE state = 'queued' AND grp ${name === 'sqlite' ? 'IS NOT NULL' : "<> ''"}`,
  tasks_due: "tasks (due_at, id) WHERE state = 'scheduled'",
  tasks_scheduled: "tasks (id) WHERE state = 'scheduled'",
  tasks_check_at: 'tasks (check_at) WHERE check_at IS NOT NULL',
  tasks_judge: 'tasks (judge_token) WHERE judge_token IS NOT NULL',
});

/** For people, and to bring back what a lost live store had: newest first or oldest first, all there is of a state. */
const recordIndexes: Indexes = {
  // The last column is always nothing: with it SQLite need not look at the row to know that.
  tasks_unfinished: 'tasks (state, id, finished_at) WHERE finished_at IS NULL',
};

const readForm = statement<[value: string]>('read_form', () => "SELECT value FROM meta WHERE name = 'form'");
const writeForm = statement(
  'write_form',
  () => "INSERT INTO meta (name, value) VALUES ('form', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
);
export const recorderRow = statement<[seq: number]>('recorder_row', () => 'SELECT seq FROM recorder WHERE id = 1');

/** Whether what is in the database lives elsewhere. */
export async function isRecord(tx: Pick<SqlTransaction, 'query'>): Promise<boolean> {
  return (await tx.query(recorderRow)).length > 0;
}

/** A record that an earlier version has made, or that lacks the right to be otherwise, is in the form of a live store. */
export async function stayInForm(driver: SqlDriver): Promise<void> {
  const isKept = await driver.read(
    async (tx) => !(await isRecord(tx)) || (await tx.query(readForm))[0]?.[0] === 'record',
  );
  if (isKept) return;
  await driver.transaction(async (tx) => {
    await driver.lockMigrations(tx);
    if (!(await isRecord(tx))) return;
    // What ran was found by them.
    await tx.execute('DELETE FROM claims');
    await takeForm(driver, tx, 'record');
  });
}

/**
 * `both` is for the time in which one becomes the other. Repeating it changes nothing. Nothing depends on it but how long things take: where
 * the tables are somebody else's they stay as they are.
 */
export async function takeForm(driver: SqlDriver, tx: SqlTransaction, form: Form | 'both'): Promise<void> {
  const [live, record] = [liveIndexes(driver.dialect), recordIndexes];
  await driver.lockMigrations(tx);
  if (!(await isOwner(driver, tx))) return;
  await tx.query(writeForm, form);
  if (form !== 'record') await create(tx, live);
  if (form !== 'live') await create(tx, record);
  if (form === 'record') await drop(tx, live);
  if (form === 'live') await drop(tx, record);
}

const ownsTasks = statement<[isOwner: number]>(
  'owns_tasks',
  () =>
    "SELECT CASE WHEN pg_has_role(relowner, 'USAGE') THEN 1 ELSE 0 END FROM pg_class WHERE oid = to_regclass('tasks')",
);

async function isOwner({ dialect }: SqlDriver, tx: SqlTransaction): Promise<boolean> {
  return dialect.name === 'sqlite' || (await tx.query(ownsTasks))[0]?.[0] === 1;
}

async function create(tx: SqlTransaction, indexes: Indexes): Promise<void> {
  for (const [name, on] of Object.entries(indexes)) await tx.execute(`CREATE INDEX IF NOT EXISTS ${name} ON ${on}`);
}

async function drop(tx: SqlTransaction, indexes: Indexes): Promise<void> {
  for (const name of Object.keys(indexes)) await tx.execute(`DROP INDEX IF EXISTS ${name}`);
}
