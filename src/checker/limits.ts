/** S11 and S12: who runs under each limit, and how often it was started, told by the events alone. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { LimitRule } from '../core/task.ts';
import type { SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

type Configured = Extract<SettingEntry, { readonly limit: string }>;

/** What is known of one limit. */
interface Stand {
  readonly holders: Set<string>;
  max: number | null;
  rate: LimitRule['rate'];
  /** Starts that count against the rate at `levelAt`: each fades out over its share of the period. */
  level: number;
  levelAt: number;
}

export interface LimitBook {
  configured(setting: Configured): void;
  change(event: BatchEvent, item: EventItem, rules: readonly LimitRule[]): void;
}

/** A rate counts in whole microseconds, rounded so that it is kept a little slower than asked. */
const roundingShare = 1e-6;

export function createLimitBook(tell: Tell): LimitBook {
  const stands = new Map<string, Stand>();
  const standOf = (name: string): Stand => {
    let stand = stands.get(name);
    if (stand === undefined) {
      stand = { holders: new Set(), max: null, rate: null, level: 0, levelAt: 0 };
      stands.set(name, stand);
    }
    return stand;
  };

  function begin(event: BatchEvent, item: EventItem, rule: LimitRule): void {
    const stand = standOf(rule.name);
    const max = stand.max ?? rule.max;
    if (max !== null && stand.holders.size >= max && !stand.holders.has(item.taskId))
      tell(
        'S11',
        item.taskId,
        `event ${event.seq}: it started beside ${stand.holders.size} of ${rule.name}, where ${max} may run`,
      );
    stand.holders.add(item.taskId);
    const rate = stand.rate ?? rule.rate;
    if (rate !== null) start(stand, event, item, rule.name, rate);
  }

  function start(
    stand: Stand,
    event: BatchEvent,
    item: EventItem,
    name: string,
    rate: NonNullable<LimitRule['rate']>,
  ): void {
    const faded = ((event.at - stand.levelAt) * rate.count) / rate.perMs;
    stand.level = Math.max(0, stand.level - faded) + 1;
    stand.levelAt = event.at;
    if (stand.level > rate.count * (1 + roundingShare) + roundingShare)
      tell(
        'S12',
        item.taskId,
        `event ${event.seq}: ${name} was started ${stand.level.toFixed(2)} times, where ${rate.count} in ${rate.perMs} ms may`,
      );
  }

  return {
    configured({ limit, max, rate }) {
      const stand = standOf(limit);
      if (max !== undefined) stand.max = max;
      if (rate === undefined) return;
      stand.rate = rate;
      // A new rate forgets what was taken under the old one.
      stand.level = 0;
    },
    change(event, item, rules) {
      for (const rule of rules) {
        if (item.to === 'running' && item.from !== 'running') begin(event, item, rule);
        else if (item.from === 'running' && item.to !== 'running') standOf(rule.name).holders.delete(item.taskId);
      }
    },
  };
}
