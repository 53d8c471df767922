// Guards the house rules of docs/style.md over every file of the repository.

import { describe, expect, test } from 'vitest';
import { covers, exemptions, isExempt } from './tidy/exemptions.ts';
import { checkLayers, findCycles } from './tidy/layers.ts';
import {
  installScripts,
  readRepository,
  readRootFile,
  resolvedHosts,
  unexplainedDependencies,
} from './tidy/repository.ts';
import { rules } from './tidy/rules.ts';

const sources = readRepository();

describe('every file', () => {
  test.each(rules)('$name', ({ name, about, check }) => {
    const judged = sources.filter(({ path }) => about(path) && !isExempt(name, path));
    expect(judged.flatMap(check)).toEqual([]);
  });

  test('exemptions are needed', () => {
    const idle = exemptions.filter((exemption) => {
      const rule = rules.find(({ name }) => name === exemption.rule);
      const exempted = sources.filter(({ path }) => covers(exemption, path));
      return exempted.length > 0 && exempted.every((source) => rule?.check(source).length === 0);
    });
    expect(idle).toEqual([]);
  });
});

describe('layers', () => {
  test('imports follow the table', () => {
    expect(sources.flatMap(checkLayers)).toEqual([]);
  });

  test('no file imports itself in a circle', () => {
    expect(findCycles(sources.filter(({ path }) => path.startsWith('src/')))).toEqual([]);
  });
});

describe('packages', () => {
  test('no runtime dependency has an install script', () => {
    expect(installScripts(readRootFile('package-lock.json'))).toEqual([]);
  });

  test('the lock file names no registry', () => {
    expect(resolvedHosts(readRootFile('package-lock.json'))).toEqual([]);
  });

  test('every runtime dependency has its reason in an ADR', () => {
    const adrs = sources.filter(({ path }) => path.startsWith('docs/adr/')).map(({ text }) => text);
    expect(unexplainedDependencies(readRootFile('package.json'), adrs)).toEqual([]);
  });
});
