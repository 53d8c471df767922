/** Stores that die at one of their calls, before it is done or after. */

export interface LastCall {
  /** Calls until then: of all that share this. */
  left: number;
  readonly after: boolean;
  /** What it is to die; throws "killed" without it. */
  readonly die?: () => void;
}

/** Parts of a broker with calls of their own. */
const parts: ReadonlySet<string | symbol> = new Set(['outbox', 'schedules']);
/** What answers without a store. */
const answers: ReadonlySet<string | symbol> = new Set(['ownMs', 'isRefusal']);

export function dyingAt<Target extends object>(target: Target, last: LastCall): Target {
  const die = (): never => {
    last.die?.();
    throw new Error('killed');
  };
  return new Proxy(target, {
    get(of, name, receiver) {
      const member: unknown = Reflect.get(of, name, receiver);
      if (parts.has(name)) return dyingAt(member as object, last);
      if (typeof member !== 'function' || answers.has(name)) return member;
      return async (...given: unknown[]) => {
        const dies = last.left-- <= 0;
        if (dies && !last.after) die();
        const answer: unknown = await member.apply(of, given);
        if (dies) die();
        return answer;
      };
    },
  });
}
