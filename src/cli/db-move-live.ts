/** `taskflow db move` between a database and a live store in none: what is moved lives elsewhere, and the history stays. */

import { isRedis } from '../broker/store-url.ts';
import { systemChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { systemClock } from '../core/time.ts';
import type { LiveMoveOptions, LiveStore, MoveReport } from '../move/live-move.ts';
import type { Call } from './command.ts';

export interface Urls {
  readonly from: string;
  readonly to: string;
}

/** Whether one of the two is a live store in no database. */
export function isLiveMove({ from, to }: Urls): boolean {
  return isRedis(from) || isRedis(to);
}

/** Into Redis the database becomes the record; out of Redis the record becomes the store. Throws NOT_SUPPORTED for two of Redis. */
export async function moveLive(
  call: Call,
  urls: Urls,
  onProgress: NonNullable<LiveMoveOptions['onProgress']>,
): Promise<MoveReport> {
  const isInto = isRedis(urls.to);
  if (isInto && isRedis(urls.from)) {
    const hint = 'Move into its record first, and from there: taskflow db move --from redis://… --to postgres://…';
    throw taskFlowError('NOT_SUPPORTED', { what: 'A move from Redis to Redis' }, { hint });
  }
  const { options, close } = await openBoth(call, isInto ? urls.to : urls.from, isInto ? urls.from : urls.to);
  const force = call.has('force');
  const isPlan = call.has('dry-run');
  try {
    if (isInto) {
      const { moveIntoLive, planIntoLive } = await import('../move/into-live.ts');
      return await (isPlan ? planIntoLive : moveIntoLive)({ ...options, force, onProgress });
    }
    const { moveOutOfLive, planOutOfLive } = await import('../move/out-of-live.ts');
    return await (isPlan ? planOutOfLive : moveOutOfLive)({ ...options, force, onProgress });
  } finally {
    await close();
  }
}

async function openBoth(call: Call, liveUrl: string, databaseUrl: string) {
  const { folder, settings } = await call.config();
  const [{ connectDriver, connectLive }, { createSqlRecording }, { createRelay }] = await Promise.all([
    import('../broker/connect.ts'),
    import('../history/recording/sql-recording.ts'),
    import('../relay/relay.ts'),
  ]);
  const place = { folder, namespace: settings.namespace };
  const live: LiveStore = connectLive(liveUrl, place);
  const driver = connectDriver(databaseUrl, place);
  const close = async (): Promise<void> => void (await Promise.all([live.close(), driver.close()]));
  try {
    await driver.open();
    await live.open();
  } catch (error) {
    await close();
    throw error;
  }
  const [clock, chance] = [systemClock, systemChance];
  // Nobody enqueues here: it has only to be emptied.
  const join = () => Promise.reject(taskFlowError('TX_NOT_JOINABLE', { problem: 'the store is moved' }));
  const { relay } = createRelay({ driver, join, broker: live, clock });
  return { options: { live, driver, recording: createSqlRecording(driver), clock, chance, relay }, close };
}
