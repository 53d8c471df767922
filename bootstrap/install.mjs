// Brings node_modules to what package-lock.json says. The hot path is three system calls; npm runs only on a change.

import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeHome, needSpace, root } from './places.mjs';

const lockFile = join(root, 'package-lock.json');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.taskflow-stamp');

/** Runs `npm ci` when node_modules is missing or made from another lock file; a hand-made one that fits is kept. */
export async function install() {
  if (readText(stamp) === fingerprint()) return;
  if (fits()) return mark();
  makeHome();
  const { alone } = await import('./lock.mjs');
  await alone(async () => {
    if (fits()) return mark(); // another run installed it while this one waited
    await installAndReplace();
    mark();
  });
}

function fingerprint() {
  const { mtimeMs, size } = statSync(lockFile);
  return `${mtimeMs} ${size} ${process.platform}-${process.arch}`;
}

function mark() {
  try {
    linkOwnCommand();
    writeFileSync(stamp, fingerprint());
  } catch {
    // Only a shortcut: without it (a read-only folder) the lock files are compared on every start.
  }
}

/** npx before npm 9 looks only here for the command of this package, and then in the registry for a stranger's. */
function linkOwnCommand() {
  if (process.platform === 'win32') return;
  for (const name of ['taskflow', 'tf']) {
    const link = join(modules, '.bin', name);
    if (!existsSync(link)) symlinkSync(join('..', '..', 'bin', 'taskflow.js'), link);
  }
}

/** Compares the lock file with npm's own record of what it installed: every package needed here, in its version. */
function fits() {
  const installed = readPackages(join(modules, '.package-lock.json'));
  if (installed === null) return false;
  for (const [path, wanted] of Object.entries(readPackages(lockFile) ?? {})) {
    if (path === '' || wanted.link) continue;
    const found = installed[path];
    if (found === undefined ? !wanted.optional : found.version !== wanted.version) return false;
    if (found !== undefined && !existsSync(join(root, path))) return false;
  }
  return Object.keys(installed).length > 0;
}

function readPackages(path) {
  const text = readText(path);
  return text === null ? null : JSON.parse(text).packages;
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Installs beside and moves into place, so that a stopped install leaves the old folder as it was. */
async function installAndReplace() {
  const { copyFileSync } = await import('node:fs');
  const { scratch, discard, replace } = await import('./lock.mjs');
  const { npmCi } = await import('./npm.mjs');
  const { say } = await import('./refusal.mjs');
  say('installing dependencies (once, and after package-lock.json changes)');
  needSpace(300);
  const made = scratch('install');
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
      if (existsSync(join(root, name))) copyFileSync(join(root, name), join(made, name));
    }
    await npmCi(made, 'The dependencies');
    replace(modules, join(made, 'node_modules'));
  } catch (error) {
    // A mount point (a volume in a container) cannot be renamed: there npm works in place.
    if (!['EXDEV', 'EBUSY', 'ENOTEMPTY', 'EPERM'].includes(error.code)) throw error;
    await npmCi(root, 'The dependencies');
  } finally {
    discard(made);
  }
}
