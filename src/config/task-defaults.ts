/** The settings that a task gets where its definition says nothing, in the words of a definition. */

import type { Settings } from './settings.ts';

/** What `setTaskDefaults` of the client takes. */
export function taskDefaultsOf(settings: Settings) {
  const { 'defaults.retry': retry, 'defaults.timeout': timeoutMs } = settings;
  const keep = { succeeded: settings['defaults.keep.succeeded'], failed: settings['defaults.keep.failed'] };
  return { keep, timeoutMs, ...(retry === null ? {} : { retry }) };
}
