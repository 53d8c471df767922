/** The settings as every surface shows them: their values with secrets masked, and where each came from. */

import { type Config, shownValue } from '../config/load.ts';
import { originText } from '../config/origin.ts';
import { type SettingKey, settingKeys } from '../config/settings.ts';
import type { SettingDocument } from '../operations/config.ts';

/** One of them. */
export function settingDocument(config: Config, key: SettingKey): SettingDocument & { readonly key: SettingKey } {
  return { key, value: shownValue(config, key), origin: originText(config.origins[key]) };
}

/** All of them, in the order of the settings. */
export function settingDocuments(config: Config): readonly SettingDocument[] {
  return settingKeys.map((key) => settingDocument(config, key));
}
