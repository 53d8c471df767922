/** Puts the configuration together: flags, variables, `.env`, the config file, defaults, the first that speaks wins. */

import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { configFileNames, findUpward, givenByFile, readConfigFile, shownPath } from './file.ts';
import { maskUrl } from './mask.ts';
import { type Given, type Mistake, type Origin, originText } from './origin.ts';
import { type SettingKey, type Settings, settingKeys, settingOf } from './settings.ts';
import type { ZodLibrary } from './shapes.ts';
import { givenByFallbacks, givenByVariables, readDotenvFiles, unknownVariables, type Variables } from './variables.ts';

/** The configuration of a process, read and whole. */
export interface Config {
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingKey, Origin>>;
  /** The project's folder: that of the config file, else of the nearest package.json, else the working folder. */
  readonly folder: string;
  /** The config file, or `null`. */
  readonly file: string | null;
}

/** A setting given on the command line. */
export interface Flag {
  readonly key: SettingKey;
  /** As typed: `--port`. */
  readonly name: string;
  readonly value: string;
}

export interface ConfigSources {
  /** The working folder. */
  readonly cwd: string;
  readonly env: Variables;
  readonly flags?: readonly Flag[];
  /** A config file by name (`--config`); `null` reads none. Without it, it is looked for. */
  readonly file?: string | null;
}

/**
 * Reads every source and returns the settings with their origins. Empty variables count as not set.
 * Throws INVALID_CONFIG that names every mistake at once, with where it stands and the nearest known name.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { cwd, env } = sources;
  const mistakes: Mistake[] = unknownVariables(env);
  const path = configFile(sources, mistakes);
  const folder = folderOf(path, cwd);
  const fromFile = path === null ? { given: [], mistakes: [] } : givenByFile(await readConfigFile(path), path, cwd);
  const dotenv = readDotenvFiles(folder);
  mistakes.push(...dotenv.flatMap(({ file, variables }) => unknownVariables(variables, file)), ...fromFile.mistakes);

  const said: Given[] = [
    ...(sources.flags ?? []).map(({ key, name, value }) => ({
      key,
      value,
      folder: cwd,
      origin: { kind: 'flag', name, file: null } as const,
    })),
    ...givenByVariables(env, cwd),
    ...dotenv.flatMap(({ file, variables }) => givenByVariables(variables, folder, file)),
    ...fromFile.given,
  ];
  // Whoever names a broker of their own does not mean the application's database to be the record beside it.
  const given = said.some(({ key }) => key === 'broker' || key === 'store')
    ? said
    : [
        ...said,
        ...givenByFallbacks(env, cwd),
        ...dotenv.flatMap(({ file, variables }) => givenByFallbacks(variables, folder, file)),
      ];
  const zod = await import('zod');
  const config = readAll(zod, given, folder, path, mistakes);
  if (mistakes.length > 0) throw invalidConfig(mistakes);
  return config;
}

/** The project's folder, in which its `.env` files are; a config file that is named and not there says so when it is read. */
export function projectFolder(sources: Omit<ConfigSources, 'flags'>): string {
  return folderOf(configFile(sources, []), sources.cwd);
}

function folderOf(configPath: string | null, cwd: string): string {
  return configPath === null ? (findUpward(cwd, ['package.json'])?.folder ?? cwd) : dirname(configPath);
}

/** The value as it may be shown: passwords masked. */
export function shownValue(config: Config, key: SettingKey): unknown {
  const value = config.settings[key];
  return settingOf(key).secret === true && typeof value === 'string' ? maskUrl(value) : value;
}

function configFile(sources: ConfigSources, mistakes: Mistake[]): string | null {
  if (sources.file === null) return null;
  const named = sources.file ?? (sources.env.TASKFLOW_CONFIG || undefined);
  if (named !== undefined) {
    const path = resolve(sources.cwd, named);
    if (existsSync(path)) return path;
    mistakes.push({
      where: sources.file === undefined ? 'TASKFLOW_CONFIG' : '--config',
      problem: `names ${named}, which does not exist`,
    });
    return null;
  }
  const place = findUpward(sources.cwd, configFileNames);
  const [first, second] = place?.found ?? [];
  if (place === null || first === undefined) return null;
  if (second !== undefined) {
    mistakes.push({
      where: shownPath(resolve(place.folder, second), sources.cwd),
      problem: `stands beside ${first}: remove one of them`,
    });
  }
  return resolve(place.folder, first);
}

function readAll(
  zod: ZodLibrary,
  given: readonly Given[],
  folder: string,
  file: string | null,
  mistakes: Mistake[],
): Config {
  const values: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Origin>> = {};
  for (const key of settingKeys) {
    const ofKey = given.filter((one) => one.key === key);
    // Every given value is checked, also those that another one outranks: a mistake must not wait for its day.
    const read = ofKey.map((one) => ({ origin: one.origin, value: readOne(zod, one, mistakes) }));
    const winner = read[0] ?? {
      origin: { kind: 'default', name: key, file: null } as const,
      value: readDefault(zod, key, folder),
    };
    values[key] = winner.value;
    origins[key] = winner.origin;
  }
  return { settings: values as Settings, origins: origins as Record<SettingKey, Origin>, folder, file };
}

function readOne(zod: ZodLibrary, given: Given, mistakes: Mistake[]): unknown {
  const setting = settingOf(given.key);
  if (given.value === null && setting.default === null) return null;
  const answer = setting.shape(zod).safeParse(given.value);
  if (answer.success) return withPaths(given.key, answer.data, given.folder);
  for (const issue of answer.error.issues) {
    const problem = setting.secret === true ? maskUrl(issue.message) : issue.message;
    mistakes.push({ where: originText(given.origin), problem });
  }
  return null;
}

function readDefault(zod: ZodLibrary, key: SettingKey, folder: string): unknown {
  const setting = settingOf(key);
  return setting.default === null ? null : withPaths(key, setting.shape(zod).parse(setting.default), folder);
}

/** Makes relative paths absolute, so that a command means the same in every subfolder of the project. */
function withPaths(key: SettingKey, value: unknown, folder: string): unknown {
  const { paths } = settingOf(key);
  if (paths === 'list' && Array.isArray(value)) return value.map((path) => resolve(folder, String(path)));
  if (paths !== 'url' || typeof value !== 'string' || !value.startsWith('sqlite:')) return value;
  const path = value.slice('sqlite:'.length);
  if (path === '' || path.startsWith(':') || path.startsWith('//') || isAbsolute(path)) return value;
  return `sqlite:${resolve(folder, path)}`;
}

/** The error that names them all. */
function invalidConfig(mistakes: readonly Mistake[]): TaskFlowError {
  const problems = mistakes.map(({ where, problem }) => `  ${where} ${problem}`).join('\n');
  return taskFlowError('INVALID_CONFIG', { count: mistakes.length, problems }, { details: mistakes });
}
