// Compiles src/ to dist/ when a source is newer. Staleness is decided by listing path, time and size of every source
// and comparing the text with the one kept in dist/: about 2 ms for 300 files, and no clock is compared with another.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeHome, root } from './places.mjs';

const dist = join(root, 'dist');
const stamp = join(dist, '.sources');
const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** Makes dist/ match src/. A type error is shown as the compiler words it, and the last good dist/ stays. */
export async function build() {
  if (isFresh()) return;
  makeHome();
  const { alone } = await import('./lock.mjs');
  await alone(async () => {
    if (!isFresh()) await compileAndReplace();
  });
}

function isFresh() {
  try {
    return readFileSync(stamp, 'utf8') === listSources();
  } catch {
    return false;
  }
}

function listSources() {
  let list = '';
  const add = (path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    list += `${path} ${mtimeMs} ${size}\n`;
  };
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (!isTest(path)) add(path);
    }
  };
  for (const path of settings) add(path);
  walk('src');
  return list;
}

function isTest(path) {
  return /\.test\.tsx?$/.test(path);
}

async function compileAndReplace() {
  const { writeFileSync } = await import('node:fs');
  const { scratch, discard, replace } = await import('./lock.mjs');
  const made = scratch('build');
  try {
    const out = join(made, 'dist');
    const sources = listSources(); // before the compiler reads: an edit meanwhile makes the next run build again
    await compile(out);
    copyOtherFiles(out, sources, await import('node:fs'));
    writeFileSync(join(out, '.sources'), sources);
    replace(dist, out);
  } finally {
    discard(made);
  }
}

async function compile(out) {
  const { spawnSync } = await import('node:child_process');
  const { Refusal } = await import('./refusal.mjs');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', out];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return;
  throw new Refusal(`src/ does not compile; correct this and run the command again.\n\n${stdout}${stderr}`.trimEnd());
}

/** What the compiler leaves alone (SQL, Lua, style sheets, browser scripts) goes along as it is. */
function copyOtherFiles(out, sources, { copyFileSync, mkdirSync }) {
  for (const line of sources.split('\n')) {
    const path = line.replace(/ \S+ \S+$/, '');
    if (!path.startsWith('src/') || /\.tsx?$/.test(path)) continue;
    const target = join(out, path.slice('src/'.length));
    mkdirSync(join(target, '..'), { recursive: true });
    copyFileSync(join(root, path), target);
  }
}
