/** What a worker hears and answers beside its leases: commands obeyed once each, and the answer to the last question. */

import type { SentCommand, WorkerCommand, WorkerStack } from '../core/commands.ts';

/** What goes with a heartbeat. */
export interface Mail {
  readonly heard: number;
  readonly stack?: WorkerStack;
}

export interface Mailbox {
  /** What goes with the next heartbeat. */
  outgoing(): Mail;
  /** That heartbeat was answered: it need not be said again. */
  arrived(mail: Mail): void;
  /** Obeys what is new among these, each once however often it comes; answers whether there was anything. */
  take(commands: readonly SentCommand[]): boolean;
}

/** Makes a mailbox. `obey` is called in the order of the ids; what it answers is sent to the store. */
export function createMailbox(obey: (command: WorkerCommand, id: number) => WorkerStack | null): Mailbox {
  let heard = 0;
  let stack: WorkerStack | null = null;
  return {
    outgoing: () => (stack === null ? { heard } : { heard, stack }),
    arrived(mail) {
      if (mail.stack === stack) stack = null;
    },
    take(commands) {
      const fresh = commands.filter(({ id }) => id > heard).sort((left, right) => left.id - right.id);
      for (const { id, command } of fresh) {
        heard = id;
        stack = obey(command, id) ?? stack;
      }
      return fresh.length > 0;
    },
  };
}
