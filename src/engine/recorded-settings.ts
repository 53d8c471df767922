/** What people set in a live store beside its tasks, as the record keeps it: pauses, weights, bounds and schedules. */

import type { Broker, Schedules, Scope, Settings } from '../broker/broker.ts';
import type { Pause } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ScheduleRecord } from '../core/schedule.ts';
import type { RecordedSetting, Recording, SettingChanges } from '../history/recording.ts';

/** Whose settings are read. */
export type SettingsSource = Pick<Broker, 'getQueues' | 'getGroups' | 'getLimits'> & {
  readonly schedules: Pick<Schedules, 'list'>;
};

/** Who gets them back. */
export type SettingsTarget = SettingsSource &
  Pick<Broker, 'configure'> & { readonly schedules: Pick<Schedules, 'restore' | 'get' | 'pause'> };

export interface SettingsBook {
  /**
   * What differs from the record. No event tells which setting it was about, so all of that sort are read: `fire` moves schedules,
   * `configure` may be anything. `null` when nothing does.
   */
  changes(kind: 'configure' | 'fire'): Promise<SettingChanges | null>;
  /** The changes are in the record. */
  stored(changes: SettingChanges): void;
}

/** Begins with what the record has, read when it is asked for the first time. */
export function createSettingsBook(source: SettingsSource, recording: Pick<Recording, 'settings'>): SettingsBook {
  let known: Map<string, RecordedSetting> | null = null;
  return {
    async changes(kind) {
      known ??= new Map((await recordedSettings(recording)).map((setting) => [keyOf(setting), setting]));
      const found = kind === 'fire' ? await schedulesOf(source) : await settingsOf(source);
      const there = new Map(found.map((setting) => [keyOf(setting), setting]));
      const put = found.filter((setting) => known?.get(keyOf(setting))?.document !== setting.document);
      const gone = [...known.values()].filter(
        (setting) => !there.has(keyOf(setting)) && (kind === 'configure' || setting.kind === 'schedule'),
      );
      return put.length + gone.length === 0 ? null : { put, gone };
    },
    stored({ put, gone }) {
      for (const setting of put) known?.set(keyOf(setting), setting);
      for (const setting of gone) known?.delete(keyOf(setting));
    },
  };
}

function keyOf({ kind, name }: RecordedSetting): string {
  return `${kind} ${name}`;
}

async function settingsOf(source: SettingsSource): Promise<readonly RecordedSetting[]> {
  const [queues, groups, rules, schedules] = await Promise.all([
    source.getQueues(),
    namesFrom((from) => source.getGroups(from, limits.batchMax)),
    namesFrom((from) => source.getLimits(from, limits.batchMax)),
    schedulesOf(source),
  ]);
  return [
    ...queues.flatMap(({ name, pause, max, rate }) => setting('queue', name, { pause, max, rate })),
    ...groups.flatMap(({ name, pause, weight }) => setting('group', name, { pause, weight })),
    ...rules.flatMap(({ name, pause, max, rate }) => setting('limit', name, { pause, max, rate })),
    ...schedules,
  ];
}

/** What is set as a person would set it again, and when; nothing for what stands as it comes. */
interface Set extends Omit<Settings, 'pause'> {
  readonly pause?: Pause | null;
}

function setting(kind: Scope, name: string, set: Set): readonly RecordedSetting[] {
  const isSet = Object.values(set).some((value) => value !== null);
  return isSet ? [{ kind, name, document: JSON.stringify(set) }] : [];
}

async function schedulesOf({ schedules }: SettingsSource): Promise<readonly RecordedSetting[]> {
  const found: RecordedSetting[] = [];
  for (let after: string | null = null; ; ) {
    const page: readonly ScheduleRecord[] = await schedules.list(after, pageSize);
    for (const schedule of page)
      found.push({ kind: 'schedule', name: schedule.name, document: JSON.stringify(schedule) });
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return found;
    after = last.name;
  }
}

const pageSize = 200;

/** All pages of what is read from a name on, it included. */
async function namesFrom<Named extends { readonly name: string }>(
  read: (from: string | null) => Promise<readonly Named[]>,
): Promise<readonly Named[]> {
  const found: Named[] = [];
  for (let from: string | null = null; ; ) {
    const page: readonly Named[] = await read(from);
    found.push(...(page[0]?.name === from ? page.slice(1) : page));
    const last = page.at(-1);
    if (last === undefined || page.length < limits.batchMax) return found;
    from = last.name;
  }
}

async function recordedSettings(recording: Pick<Recording, 'settings'>): Promise<readonly RecordedSetting[]> {
  const found: RecordedSetting[] = [];
  for (let after: RecordedSetting | null = null; ; ) {
    const page: readonly RecordedSetting[] = await recording.settings(after, pageSize);
    found.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return found;
    after = last;
  }
}

/**
 * Sets again what the live store has lost, before its tasks come back: what was paused must not run. What somebody has set there since
 * stays; a schedule that its server has put since keeps its times and is paused as it was. Repeating it is harmless.
 */
export async function bringBackSettings(broker: SettingsTarget, recording: Pick<Recording, 'settings'>): Promise<void> {
  const recorded = await recordedSettings(recording);
  if (recorded.length === 0) return;
  const there = new Map((await settingsOf(broker)).map((found) => [keyOf(found), found]));
  for (const lost of recorded) {
    if (lost.kind === 'schedule') await bringBackSchedule(broker, JSON.parse(lost.document) as ScheduleRecord);
    else {
      const set = missingIn(
        JSON.parse(there.get(keyOf(lost))?.document ?? '{}') as Set,
        JSON.parse(lost.document) as Set,
      );
      if (Object.keys(set).length > 0) await broker.configure(lost.kind, lost.name, set);
    }
  }
}

function missingIn(there: Set, lost: Set): Settings {
  const fields = Object.entries(lost) as readonly (readonly [keyof Set, unknown])[];
  const missing = Object.fromEntries(
    fields.filter(([field, value]) => value !== null && (there[field] ?? null) === null),
  );
  const { pause, ...rest } = missing as Set;
  return pause == null ? rest : { ...rest, pause: { by: pause.by, reason: pause.reason } };
}

async function bringBackSchedule({ schedules }: SettingsTarget, lost: ScheduleRecord): Promise<void> {
  const { name, pause, createdAt } = lost;
  if ((await schedules.restore([lost])) === 1 || pause === null) return;
  const [found] = await schedules.get([name]);
  // One of before was resumed by somebody: only of one that is new nobody has asked what it was.
  if (found == null || found.pause !== null || found.createdAt === createdAt) return;
  await schedules.pause([name], { by: pause.by, reason: pause.reason });
}
