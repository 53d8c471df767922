// Where a house rule does not hold, and why. One that is no longer needed fails the test.

export interface Exemption {
  readonly rule: string;
  /** A file, or a folder that ends in a slash. */
  readonly path: string;
  readonly why: string;
}

export const exemptions: readonly Exemption[] = [
  { rule: 'core is pure', path: 'src/core/time.ts', why: 'the one implementation of Clock on the real clock' },
  { rule: 'core is pure', path: 'src/core/chance.ts', why: 'the one implementation of Chance on real randomness' },
  { rule: 'chance is injected', path: 'src/core/chance.ts', why: 'the one implementation of Chance' },
  { rule: 'nothing is left to do', path: 'test/tidy/', why: 'names and samples of what is forbidden' },
  { rule: 'no place of one machine', path: 'test/tidy/', why: 'names and samples of what is forbidden' },
  { rule: 'the work, not the workshop', path: 'test/tidy/', why: 'names and samples of what is forbidden' },
  { rule: 'no silenced compiler', path: 'test/tidy/', why: 'names and samples of what is forbidden' },
];

/** Folders and files that may be absent or may not need their exemption at every moment. */
export function isExempt(rule: string, path: string): boolean {
  return exemptions.some((each) => each.rule === rule && covers(each, path));
}

export function covers(exemption: Exemption, path: string): boolean {
  return exemption.path.endsWith('/') ? path.startsWith(exemption.path) : path === exemption.path;
}
