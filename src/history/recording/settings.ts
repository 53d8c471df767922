/** Settings and schedules of the live store as documents, by kind and name. */

import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { idList } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import type { RecordedSetting, SettingChanges } from '../recording.ts';

const putSettings = eachStatement(
  'record_settings',
  { kind: 'text', name: 'text', document: 'text' },
  (
    value,
    from,
  ) => `INSERT INTO recorded (kind, name, document) SELECT ${value.kind}, ${value.name}, ${value.document} ${from} WHERE true
    ON CONFLICT (kind, name) DO UPDATE SET document = excluded.document`,
);
/** Inputs: kind, list of names. */
const deleteSettings = statement(
  'unrecord_settings',
  (dialect) => `DELETE FROM recorded WHERE kind = $1 AND name ${dialect.oneOf('$2')}`,
);

/** Whoever calls holds the cursor. */
export async function storeSettings(tx: SqlTransaction, { put, gone }: SettingChanges): Promise<void> {
  if (put.length > 0)
    await tx.each(
      putSettings,
      put.map(({ kind, name, document }) => [kind, name, document]),
    );
  for (const [kind, some] of Map.groupBy(gone, (setting) => setting.kind))
    await tx.query(deleteSettings, kind, idList(some.map(({ name }) => name)));
}

/** Inputs: kind and name of the last one seen, limit. */
const settingRows = statement<[kind: RecordedSetting['kind'], name: string, document: string]>(
  'recorded_settings',
  () => 'SELECT kind, name, document FROM recorded WHERE (kind, name) > ($1, $2) ORDER BY kind, name LIMIT $3',
);

export async function readSettings(
  driver: SqlDriver,
  after: Pick<RecordedSetting, 'kind' | 'name'> | null,
  limit: number,
): Promise<readonly RecordedSetting[]> {
  const place = [after?.kind ?? '', after?.name ?? ''] as const;
  const rows = await driver.readOne(settingRows, ...place, Math.min(limit, limits.batchMax));
  return rows.map(([kind, name, document]) => ({ kind, name, document }));
}
