/** All migrations, oldest first. A published one never changes; `npm run migration:new -- name` adds the next. */

import type { Dialect } from '../driver.ts';
import * as tasks from './0001_tasks.ts';
import * as limits from './0002_limits.ts';
import * as dependencies from './0003_dependencies.ts';
import * as groups from './0004_groups.ts';
import * as schedules from './0005_schedules.ts';
import * as commands from './0006_commands.ts';
import * as relay from './0007_relay.ts';
import * as relayAside from './0008_relay_aside.ts';
import * as recording from './0009_recording.ts';
import * as finishedNames from './0010_finished_names.ts';
import * as recorded from './0011_recorded.ts';
import * as awaitedParents from './0012_awaited_parents.ts';
import * as plainLists from './0013_plain_lists.ts';
import * as recordIndexes from './0014_record_indexes.ts';
import * as standingClaims from './0015_standing_claims.ts';
import * as access from './0016_access.ts';
import * as rollups from './0017_rollups.ts';
import * as keyRates from './0018_key_rates.ts';
import * as latencies from './0019_latencies.ts';
import * as damagedJson from './0020_damaged_json.ts';

export interface Migration {
  /** Number and name: `0001_tasks`. */
  readonly name: string;
  /** Its statements, in order. */
  readonly up: (dialect: Dialect) => readonly string[];
}

export const migrations: readonly Migration[] = [
  tasks,
  limits,
  dependencies,
  groups,
  schedules,
  commands,
  relay,
  relayAside,
  recording,
  finishedNames,
  recorded,
  awaitedParents,
  plainLists,
  recordIndexes,
  standingClaims,
  access,
  rollups,
  keyRates,
  latencies,
  damagedJson,
];
