/** Checks the types users meet: what must compile does, what must not does not, and every documented example compiles. */
import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'taskflow-examples-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** What the compiler says about a project: nothing when all is well. */
async function compile(project: string): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, '-p', project, '--pretty', 'false']).catch(
    (failed: { stdout: string }) => failed,
  );
  return stdout;
}

/** The code of every `@example` in doc comments that users see, as `[file:line, code]`. */
function documentedExamples(): readonly (readonly [string, string])[] {
  const files = globSync(
    ['src/index.ts', 'src/client/*.ts', 'src/testing/*.ts', 'src/core/verdicts.ts', 'src/config/define.ts'],
    { cwd: root },
  );
  return files
    .filter((file) => !file.endsWith('.test.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      return [...text.matchAll(/^ *\* @example\n((?: *\*(?! @)(?!\/).*\n)+)/gm)].map((match) => {
        const line = text.slice(0, match.index).split('\n').length;
        const code = (match[1] ?? '').replace(/^ *\* ?/gm, '');
        return [`${file.replaceAll(/\W/g, '_')}_${line}`, code] as const;
      });
    });
}

/** The TypeScript of every guide, as `[file_number, code]`. */
function guideExamples(): readonly (readonly [string, string])[] {
  return globSync('docs/guide/*.md', { cwd: root }).flatMap((file) => {
    const blocks = readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n(.*?)^```/gms);
    return [...blocks].map(([, code = ''], index) => [`${file.replaceAll(/\W/g, '_')}_${index}`, code] as const);
  });
}

/** Names that examples use without importing them, so that they can be as short as documentation should be. */
const prelude = `
import * as taskflow from 'taskflowjs';
import * as testing from 'taskflowjs/testing';
import * as zod from 'zod';
import * as emails from './tasks/email.ts';
import * as reports from './tasks/reports.ts';
declare global {
  var { task, contract, flow, createClient, createWorker, dashboard, fatal, snooze, defineConfig }: typeof taskflow;
  var testKit: typeof testing.testKit;
  var z: typeof zod.z;
  var email: typeof emails;
  var sendWelcome: typeof emails.sendWelcome;
  var buildReport: typeof reports.buildReport;
  var userId: string;
  var user: object | null;
  var server: import('node:http').Server;
  var tf: ReturnType<typeof taskflow.dashboard>;
  var report: { ready: boolean };
  function signUp(mail: string): Promise<void>;
  function test(name: string, body: () => Promise<void>): void;
  function expect(value: unknown): { toEqual(other: unknown): void; toMatchObject(other: object): void };
}
`.replace(/var \{ (.*) \}: typeof taskflow;/, (_, names: string) =>
  names
    .split(', ')
    .map((name) => `var ${name}: typeof taskflow.${name};`)
    .join('\n  '),
);

/** A compiler reads all that is imported, on a machine that others use too. */
const timeout = 120_000;

test('what must compile does, and each line that must not is an error', { timeout }, async () => {
  expect(await compile(join(root, 'test/compile'))).toBe('');
});

test('every documented example compiles', { timeout }, async () => {
  const examples = [...documentedExamples(), ...guideExamples()];
  expect(examples.length).toBeGreaterThanOrEqual(9);
  for (const [name, code] of examples) writeFileSync(join(scratch, `${name}.mts`), `${code}\nexport {};\n`);
  cpSync(join(root, 'test/compile/tasks'), join(scratch, 'tasks'), { recursive: true });
  writeFileSync(join(scratch, 'prelude.mts'), prelude);
  writeFileSync(join(scratch, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  const compilerOptions = { noUnusedLocals: false };
  writeFileSync(
    join(scratch, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['.'] }),
  );
  expect(await compile(scratch)).toBe('');
});
