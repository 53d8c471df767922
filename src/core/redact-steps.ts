/** Remembers where keys lead: those of a payload are few, and the same in the next. */

import { limits } from './limits.ts';
import { follow, type Reach } from './redact-paths.ts';

/** What `follow` answers. */
export type Step = typeof follow;

/** Remembers up to a bound, at which it begins anew: what came first is not what comes most. For any number of paths. */
export function createSteps(): Step {
  const known = new Map<Reach, Map<string | null, Reach>>();
  let size = 0;
  return (reach, key) => {
    const found = known.get(reach)?.get(key);
    if (found !== undefined) return found;
    const next = follow(reach, key);
    if ((key?.length ?? 0) > limits.redactPathMax) return next;
    if (size >= limits.redactStepsMax) {
      known.clear();
      size = 0;
    }
    const steps = known.get(reach) ?? new Map<string | null, Reach>();
    // A copy: a key is a slice of its payload, and would keep the whole of that.
    known.set(reach, steps.set(key === null ? null : copyOf(key), next));
    size++;
    return next;
  };
}

const copyOf = (text: string): string => JSON.parse(JSON.stringify(text)) as string;
