/** A JSON value as text that can be folded away, cut where a page would become heavy. */

/** Characters shown at once; the rest is one click away. */
const shownMax = 64 * 1024;
/** A value this short is open when the page comes. */
const openMax = 4_000;

/** `href` is where the whole document is, for values that are cut. */
export function JsonCard({
  title,
  value,
  href,
}: {
  readonly title: string;
  readonly value: unknown;
  readonly href: string;
}) {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  const cut = text.length > shownMax;
  return (
    <section class="card">
      <details open={text.length <= openMax}>
        <summary>
          {title}
          {text.length <= openMax ? null : <span class="muted">{` ${Math.ceil(text.length / 1024)} KB`}</span>}
        </summary>
        <pre>{cut ? `${text.slice(0, shownMax).toWellFormed()}…` : text}</pre>
        {cut ? (
          <div class="pages">
            Cut after 64 KB.{' '}
            <a class="strong" href={href}>
              Show all of it
            </a>
          </div>
        ) : null}
      </details>
    </section>
  );
}
