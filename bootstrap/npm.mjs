// Runs `npm ci` in a folder and turns what npm says on failure into one paragraph.

import { spawn } from 'node:child_process';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { home } from './places.mjs';
import { Refusal } from './refusal.mjs';

// Nothing here needs an install script, so none is run. The retries are short: without a network the answer should
// come within seconds. `include` beats NODE_ENV=production, which would leave the compiler out.
const flags = [
  ...['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error', '--no-dry-run'],
  ...['--global=false', '--include=dev', '--include=optional', '--prefer-offline'],
  ...['--fetch-retries=3', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=3000'],
];

/** Installs exactly what package-lock.json in `folder` says. `what` names it in the error. */
export async function npmCi(folder, what) {
  const { code, output } = await runNpm(['ci', '--prefix', folder, ...flags], folder);
  if (code === 0) return;
  const log = join(home, 'npm.log');
  writeFileSync(log, output);
  throw new Refusal(`${what} could not be installed. ${explain(output)} What npm said is in ${log}.`);
}

function runNpm(args, cwd) {
  const cli = findCli();
  // npm's own Node is the one that runs this file, so that packages are chosen for it and not for an older one.
  const [command, rest] = cli === null ? ['npm', args] : [process.execPath, [cli, ...args]];
  return new Promise((resolve, reject) => {
    const shell = cli === null && process.platform === 'win32';
    const child = spawn(command, rest, { cwd, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    const stop = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.once(signal, stop);
    child.on('error', (error) => reject(error.code === 'ENOENT' ? new Refusal(npmIsMissing) : error));
    child.on('close', (code, signal) => {
      for (const each of signals) process.off(each, stop);
      if (signal !== null) process.kill(process.pid, signal);
      else resolve({ code, output });
    });
  });
}

const npmIsMissing =
  'npm was not found, and the first run needs it once. It comes with Node from nodejs.org; on Debian and Ubuntu ' +
  'it is a package of its own (apt install npm). Install it and run the command again.';

/** npm's JavaScript entry: the one that started us, the one beside this Node, or the one on the PATH; null if hidden. */
function findCli() {
  const beside = dirname(process.execPath);
  const started = process.env.npm_execpath;
  const candidates = [
    ...(started === undefined ? [] : [started, join(dirname(started), 'npm-cli.js')]),
    join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'npm')),
  ];
  for (const path of candidates) {
    if (!existsSync(path)) continue;
    const real = realpathSync(path);
    if (/npm-cli\.c?js$/.test(real)) return real;
  }
  return null;
}

const causes = [
  [/ENOSPC|EDQUOT/, 'The disk is full: free about 600 MB and run the command again.'],
  [/EROFS|EACCES|EPERM/, 'A folder cannot be written to: check the owner of this folder and of npm’s cache.'],
  [/EINTEGRITY/, 'What arrived is not what was published: run "npm cache clean --force" and try again.'],
  [/E404|ETARGET|ENOVERSIONS/, 'The npm registry in use does not have it: check "npm config get registry".'],
  [/E401|E403|EAUTH/, 'The npm registry in use wants a login: check "npm config get registry" and "npm login".'],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_GET_ISSUER/,
    'The registry’s certificate is not trusted: check "npm config get cafile".',
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|EIDLETIMEOUT|ENOTCACHED|network/,
    'The npm registry cannot be reached: check the network or the proxy ("npm config get proxy") and run it again.',
  ],
  [/EUSAGE|in sync/, 'package.json and package-lock.json disagree: run "npm install" and commit the lock file.'],
];

function explain(output) {
  const known = causes.find(([pattern]) => pattern.test(output));
  if (known !== undefined) return known[1];
  const line = output.split('\n').find((each) => /npm (error|ERR!)/.test(each) && !/ code /.test(each)) ?? '';
  return `npm failed (${line.replace(/^npm (error|ERR!)\s*/, '').trim() || 'without a word'}).`;
}
