/**
 * An answer that is waited for later: by then it may have failed, and what nobody has heard of ends the process. Whoever waits for
 * it hears it all the same.
 */
export function heard<Answer>(answer: Promise<Answer>): Promise<Answer> {
  answer.catch(() => {});
  return answer;
}
