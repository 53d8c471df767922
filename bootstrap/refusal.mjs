// What the bootstrap says when it cannot go on: one paragraph with the cause and the next thing to do, never a stack.

/** An expected failure. The message is shown to a person as it is. */
export class Refusal extends Error {}

/** Progress goes to stderr, so that a command's own output stays clean. */
export function say(sentence) {
  process.stderr.write(`taskflow: ${sentence}\n`);
}

/** Runs `main`; a Refusal, or an error of the file system that has a plain cause, becomes one paragraph and exit code 1. */
export async function orRefuse(main) {
  try {
    return await main();
  } catch (error) {
    const paragraph = error instanceof Refusal ? error.message : explainFileError(error);
    if (paragraph === null) throw error;
    say(paragraph);
    process.exit(1);
  }
}

const nextStep = {
  ENOSPC: 'The disk is full. About 600 MB are needed once: free some space and run the command again.',
  EDQUOT: 'The disk quota is used up. About 600 MB are needed once: free some space and run the command again.',
  EROFS: 'This folder is on a read-only file system. Copy the repository to a place you can write to.',
  EACCES: 'This folder cannot be written to. Copy the repository to a place you own, or correct its owner (chown).',
};

/** One paragraph for a failed system call, or null when the cause is not a known one. */
export function explainFileError(error) {
  const next = nextStep[error?.code];
  return next === undefined ? null : `${next} (${error.code} at ${error.path ?? error.syscall})`;
}
