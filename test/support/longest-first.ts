/** In which order files of tests are run: a long one that begins last would run alone for minutes. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Parts of paths, the longest first. What is not among them comes after, as vitest would have it. */
const long = [
  'simulation/memory',
  'faults/',
  'simulation/mutations',
  'simulation/redis',
  'simulation/postgres',
  'simulation/sqlite',
  'e2e/',
  'conformance/',
  'integration/',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = long.findIndex((part) => moduleId.includes(`/test/${part}`));
      return found < 0 ? long.length : found;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}
