/** What people say of a kind of failures: it is muted for a time, or resolved, or open again. */

interface MenuProps {
  readonly fingerprint: string;
  /** The page to come back to, below the root of the site. */
  readonly back: string;
  readonly root: string;
}

const muteTimes = [
  ['1h', 'Mute for an hour'],
  ['24h', 'Mute for a day'],
  ['7d', 'Mute for a week'],
] as const;

export function ErrorMenu({ fingerprint, back, root }: MenuProps) {
  const action = `${root}errors/${fingerprint}/mark`;
  return (
    <details class="menu">
      <summary class="button">Mute…</summary>
      <div>
        {muteTimes.map(([length, word]) => (
          <form method="post" action={action}>
            <input type="hidden" name="as" value="muted" />
            <input type="hidden" name="back" value={back} />
            <button class="plain" type="submit" name="for" value={length}>
              {word}
            </button>
          </form>
        ))}
        <form method="post" action={action}>
          <input type="hidden" name="back" value={back} />
          <button class="plain" type="submit" name="as" value="resolved">
            Resolved: tell me when it is back
          </button>
        </form>
      </div>
    </details>
  );
}

/** Takes back what was said. */
export function OpenAgain({ fingerprint, back, root }: MenuProps) {
  return (
    <form method="post" action={`${root}errors/${fingerprint}/mark`}>
      <input type="hidden" name="back" value={back} />
      <button class="button" type="submit" name="as" value="open">
        Open again
      </button>
    </form>
  );
}
