/** What the server keeps when its process or its machine dies, read from its own settings. */

import { taskFlowError } from '../../core/errors.ts';
import type { BrokerInfo } from '../broker.ts';
import type { Connection } from './connection.ts';

const durabilityOf: Readonly<Record<string, BrokerInfo['durability']>> = { always: 'strict', everysec: 'standard' };

/** Throws STORE_EVICTS for a server that would drop tasks when its memory is full. */
export async function detectDurability(
  connection: Pick<Connection, 'readSetting'>,
): Promise<Pick<BrokerInfo, 'durability' | 'detail'>> {
  const [append, sync, policy] = [
    await connection.readSetting('appendonly'),
    await connection.readSetting('appendfsync'),
    await connection.readSetting('maxmemory-policy'),
  ];
  if (policy !== null && policy !== 'noeviction') throw taskFlowError('STORE_EVICTS', { policy });
  if (append === null || sync === null) return { durability: 'unverified', detail: 'settings that may not be read' };
  if (append !== 'yes') return { durability: 'volatile', detail: 'no append-only file' };
  return { durability: durabilityOf[sync] ?? 'volatile', detail: `append-only file, appendfsync ${sync}` };
}
