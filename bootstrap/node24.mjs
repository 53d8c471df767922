// Finds a Node that runs TaskFlow, or fetches one from npm's binary packages into `.node/`. Runs on Node 18 and later.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { home, makeHome, needSpace, nodeIsNewEnough, nodeMajor } from './places.mjs';
import { Refusal, say } from './refusal.mjs';

/** The path of a Node 24 or later: this one, TASKFLOW_NODE, or the one in `.node/`, fetched there when missing. */
export async function node24() {
  if (nodeIsNewEnough) return process.execPath;
  if (process.env.TASKFLOW_NODE) return process.env.TASKFLOW_NODE;
  const wanted = pinned();
  const folder = join(home, `${wanted.package}-${wanted.version}`);
  const node = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(node)) await fetchInto(folder, node, wanted);
  return node;
}

function pinned() {
  const platform = `${process.platform}-${process.arch}`;
  const wanted = JSON.parse(readFileSync(new URL('node24.json', import.meta.url), 'utf8'))[platform];
  if (wanted === undefined) throw new Refusal(`npm has no Node ${nodeMajor} for ${platform}. ${installYourself}`);
  return wanted;
}

const installYourself =
  `TaskFlow needs Node ${nodeMajor} or later and this is ${process.version}: install it (nodejs.org, nvm, fnm or ` +
  'your package manager) and run the command again, or set TASKFLOW_NODE to its path.';

async function fetchInto(folder, node, wanted) {
  if (usesMusl()) throw new Refusal(`npm has no Node ${nodeMajor} for musl (Alpine). ${installYourself}`);
  makeHome();
  const { alone, scratch, discard, replace } = await import('./lock.mjs');
  const { npmCi } = await import('./npm.mjs');
  await alone(async () => {
    if (existsSync(node)) return; // another run brought it while this one waited
    say(`this is Node ${process.version}; fetching Node ${wanted.version} into .node/ (once, about 50 MB)`);
    needSpace(300);
    const made = scratch('fetch');
    try {
      writeLockFile(made, wanted);
      await npmCi(made, `Node ${wanted.version}`);
      const fetched = join(made, 'node_modules', wanted.package);
      mustRun(join(fetched, relative(folder, node)), wanted);
      replace(folder, fetched);
    } finally {
      discard(made);
    }
  });
}

/** A binary for a newer C library, or one cut short by a full disk, is found out before it is put in place. */
function mustRun(node, { version }) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (stdout?.trim() === `v${version}`) return;
  throw new Refusal(`The fetched Node ${version} does not run on this machine. ${installYourself}`);
}

/** npm itself then checks the integrity, and finds the tarball in whatever registry or mirror it is set up for. */
function writeLockFile(folder, { package: name, version, integrity }) {
  const root = { name: 'taskflow-node', version: '0.0.0', private: true, dependencies: { [name]: version } };
  const packages = { '': root, [`node_modules/${name}`]: { version, integrity } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(root));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
}

function usesMusl() {
  return process.platform === 'linux' && process.report?.getReport().header.glibcVersionRuntime === undefined;
}
