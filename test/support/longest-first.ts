/** In which order files of tests are run: a long one that begins last would run alone for minutes. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Parts of paths, in the order in which their files begin: those of a minute and more in continuous integration on two processors first. Files that
 * wait, for an outage, a deadline or a lease, begin beside those that compute, and no two of faults/ together: each starts dozens of processes. A file
 * that is not here comes after, as vitest would have it.
 */
const order: readonly string[] = [
  'simulation/memory',
  'faults/redis',
  'simulation/sqlite',
  'faults/record',
  'integration/browser-pages',
  'simulation/redis',
  'faults/http-worker',
  'conformance/postgres',
  'simulation/mutations',
  'e2e/attack',
  'simulation/postgres',
  'faults/postgres',
  'conformance/sqlite',
  'e2e/move',
  'e2e/cli',
  'e2e/blocked',
  'e2e/torture-postgres',
  'e2e/record',
  'e2e/isolate',
  'integration/zoo',
  'integration/live.test',
  'integration/http-worker-runtime',
  'integration/bulk',
  'model/postgres',
  'e2e/reload',
  'integration/relay',
  'conformance/redis',
  'e2e/',
  'integration/browser-',
  'conformance/',
  'simulation/',
  'integration/hostile-wire',
  'integration/postgres-',
  'integration/',
  'model/',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = order.findIndex((part) => moduleId.includes(`/test/${part}`));
      return found < 0 ? order.length : found;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}
