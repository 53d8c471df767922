/** Checks that what is generated from the table of settings is up to date. */

import { expect, test } from 'vitest';
import type { ConfigFile } from './define.ts';
import { configurationPage, envExample } from './reference.ts';
import type { SettingKey } from './settings.ts';

test('.env.example and the reference page are those of the table', async () => {
  await expect(envExample()).toMatchFileSnapshot('../../.env.example');
  await expect(configurationPage()).toMatchFileSnapshot('../../docs/reference/configuration.md');
});

/** `{ server: { port } }` → `'server.port'`, for the keys of the table. */
type PathsOf<File, Prefix extends string = ''> = {
  [Key in keyof File & string]-?: `${Prefix}${Key}` extends SettingKey
    ? `${Prefix}${Key}`
    : PathsOf<NonNullable<File[Key]>, `${Prefix}${Key}.`>;
}[keyof File & string];

test('a config file may say exactly what the table knows', () => {
  const same: [SettingKey] extends [PathsOf<ConfigFile>]
    ? [PathsOf<ConfigFile>] extends [SettingKey]
      ? true
      : false
    : false = true;
  expect(same).toBe(true);
});
