// Everything a change must pass, one line a step: `npm run check`. Runs all steps, so that one run names all faults. With `--
// --no-tests` what is no test: for who has just run `npm test`.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const biome = 'node_modules/@biomejs/biome/bin/biome';
const vitest = 'node_modules/vitest/vitest.mjs';

interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

const untested: readonly Step[] = [
  { name: 'format', args: [biome, 'check', '--linter-enabled=false', '.'] },
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'] },
  { name: 'lint', args: [biome, 'lint', '--error-on-warnings', '.'] },
];
const rings: readonly Step[] = [
  { name: 'tidy', args: [vitest, 'run', '--project', 'tidy'] },
  { name: 'unit', args: [vitest, 'run', '--project', 'unit', '--passWithNoTests'] },
  { name: 'conformance', args: [vitest, 'run', '--project', 'conformance', '--passWithNoTests'] },
  { name: 'simulation', args: [vitest, 'run', '--project', 'simulation', '--passWithNoTests'] },
];

const steps = process.argv.includes('--no-tests') ? untested : [...untested, ...rings];
const failed = steps.filter(({ name, args }) => {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd());
  return status !== 0;
});

if (failed.length > 0) {
  console.log(`\nnot passed: ${failed.map(({ name }) => name).join(', ')}`);
  if (failed.some(({ name }) => name === 'format')) console.log('npm run format corrects the format');
  process.exitCode = 1;
}
