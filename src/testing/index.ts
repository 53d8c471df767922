/** What `taskflowjs/testing` offers. */

export type { DrainCounts, Run } from './record.ts';
export type { TestStore } from './stores.ts';
export type { LoggedLine, Stub } from './stub.ts';
export { type TestClock, type TestKit, type TestKitOptions, testKit } from './test-kit.ts';
