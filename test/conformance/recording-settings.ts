/** Settings and schedules in a record. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { RecordedSetting } from '../../src/history/recording.ts';
import { batchOf, everything, type RecordingCases } from './recording-samples.ts';

const setting = (kind: RecordedSetting['kind'], name: string, document = '{}'): RecordedSetting => ({
  kind,
  name,
  document,
});

export const settingCases: RecordingCases = {
  'keeps settings by kind and name, as they were told last': async ({ recording, take }) => {
    await take([], []);
    const put = [setting('schedule', 'a'), setting('queue', 'b'), setting('queue', 'ä', '{"max":1}')];
    expect(await recording.record({ ...batchOf(0, [], []), settings: { put, gone: [] } })).toBe(true);
    const [first, second] = [setting('queue', 'b', '{"max":2}'), setting('queue', 'ä', '{"max":1}')];
    const settings = { put: [first], gone: [setting('schedule', 'a'), setting('group', 'nobody')] };
    expect(await recording.record({ ...batchOf(0, [], []), settings })).toBe(true);
    expect(await recording.settings(null, limits.batchMax)).toEqual([first, second]);
    expect(await recording.settings(null, 1)).toEqual([first]);
    expect(await recording.settings(first, 10)).toEqual([second]);
    expect(await recording.settings(second, 10)).toEqual([]);
  },

  'keeps no setting of a batch that begins elsewhere': async ({ recording, take, driver }) => {
    await take([], []);
    const before = await everything(driver);
    const settings = { put: [setting('queue', 'b')], gone: [] };
    expect(await recording.record({ ...batchOf(3, [], []), settings })).toBe(false);
    expect(await everything(driver)).toEqual(before);
  },
};
