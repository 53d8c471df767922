// The repository as git sees it, and the rules about packages.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSource, type Source } from './source.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Larger files (none is expected) and binary ones are not text to be judged. */
const bytesMax = 1_000_000;

/** Every file git tracks or would track, so that a new one is judged before it is committed. */
export function readRepository(): Source[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const paths = list
    .toString('utf8')
    .split('\0')
    .filter((path) => path !== '' && path !== 'package-lock.json');
  return paths.filter(isText).map((path) => readSource(path, readFileSync(join(root, path), 'utf8')));
}

function isText(path: string): boolean {
  const full = join(root, path);
  if (!existsSync(full)) return false;
  const { size } = statSync(full);
  return statSync(full).isFile() && size <= bytesMax && !readFileSync(full).subarray(0, 8_000).includes(0);
}

export function readRootFile(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}

/** Packages users install that would run code while being installed. */
export function installScripts(packageLock: string): string[] {
  const { packages } = JSON.parse(packageLock) as { packages: Readonly<Record<string, LockedPackage>> };
  const forUsers = Object.entries(packages).filter(([path, each]) => path !== '' && !each.dev && !each.devOptional);
  return forUsers.filter(([, each]) => each.hasInstallScript).map(([path]) => `${path} has an install script`);
}

/** Hosts of a registry in the lock file: "resolved" would tie everybody to the registry of whoever wrote it. */
export function resolvedHosts(packageLock: string): string[] {
  return /"resolved"/.test(packageLock)
    ? ['package-lock.json names a registry: set omit-lockfile-registry-resolved']
    : [];
}

/** Runtime dependencies without a line in an ADR that says why. */
export function unexplainedDependencies(packageJson: string, adrs: readonly string[]): string[] {
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
  } = JSON.parse(packageJson) as Record<string, Readonly<Record<string, string>> | undefined>;
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  const explained = (name: string) => adrs.some((adr) => adr.includes(`\`${name}\``));
  return names.filter((name) => !explained(name)).map((name) => `${name} has no line in docs/adr/ that says why`);
}
