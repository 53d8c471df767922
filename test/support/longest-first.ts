/** In which order files of tests are run: a long one that begins last would run alone for minutes. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds that files take in continuous integration on two processors, rounded, from 20 on; parts of paths. Those that wait (`faults/`, `e2e/`) begin
 * beside those that compute. A file that is not here comes after, as vitest would have it: the numbers need not be true, only the order.
 */
const seconds: Readonly<Record<string, number>> = {
  'simulation/memory': 400,
  'faults/': 130,
  'simulation/mutations': 120,
  'simulation/postgres': 110,
  'simulation/sqlite': 100,
  'simulation/redis': 90,
  'integration/browser-pages': 67,
  'conformance/postgres': 63,
  'e2e/blocked': 60,
  'e2e/torture-postgres': 59,
  'integration/live.test': 59,
  'integration/sqlite-processes': 49,
  'e2e/record': 46,
  'e2e/cli': 44,
  'integration/http-worker': 40,
  'integration/zoo': 37,
  'integration/bulk': 36,
  'conformance/sqlite': 35,
  'e2e/move': 30,
  'conformance/redis': 27,
  'e2e/': 25,
  'integration/browser-hostile': 24,
  'integration/relay': 22,
  'conformance/': 22,
  'model/postgres': 20,
  'integration/': 10,
  'model/': 9,
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const length = ({ moduleId }: TestSpecification): number => {
      const part = Object.keys(seconds).find((one) => moduleId.includes(`/test/${one}`));
      return part === undefined ? 0 : (seconds[part] ?? 0);
    };
    return (await super.sort(files)).toSorted((one, other) => length(other) - length(one));
  }
}
