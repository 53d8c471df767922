/** S11 and S12: who runs under each limit, and how often it was started, told by the events alone. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import { isSameRate } from '../core/limit-rules.ts';
import type { LimitRule } from '../core/task.ts';
import type { SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

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
  configured(setting: SettingEntry): void;
  /** `rules` are the task's own; its queue may have one more. */
  change(event: BatchEvent, item: EventItem, rules: readonly LimitRule[] | undefined): void;
}

/** A rate counts in whole microseconds, rounded so that it is kept a little slower than asked. */
const roundingShare = 1e-6;

const noRules: readonly LimitRule[] = [];
/** No task can name it so. */
const queueName = (queue: string): string => `queue ${queue}`;

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
    configured({ scope, name, max, rate }) {
      if (scope === 'group') return;
      const stand = standOf(scope === 'queue' ? queueName(name) : name);
      if (max !== undefined) stand.max = max;
      if (rate === undefined || isSameRate(rate, stand.rate)) return;
      stand.rate = rate;
      // A new rate forgets what was taken under the old one.
      stand.level = 0;
    },
    change(event, item, rules = noRules) {
      const [begins, ends] = [
        item.from !== 'running' && item.to === 'running',
        item.from === 'running' && item.to !== 'running',
      ];
      if (!begins && !ends) return;
      for (const rule of [...rules, { name: queueName(item.queue), max: null, rate: null }]) {
        if (begins) begin(event, item, rule);
        else standOf(rule.name).holders.delete(item.taskId);
      }
    },
  };
}
