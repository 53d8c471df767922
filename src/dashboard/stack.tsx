/** The stack of an error: frames of one's own stand out, those of libraries are folded. */

import { fileURLToPath } from 'node:url';

/** Where TaskFlow itself runs from, in a clone of its repository not below node_modules: its frames are nobody's own. */
const itself = fileURLToPath(new URL('..', import.meta.url));

const libraryFrame = /node_modules|\(?node:|<anonymous>/;

export function Stack({ text }: { readonly text: string }) {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => /^\s*at /.test(line));
  if (first < 0) return <pre>{text}</pre>;
  return (
    <div class="stack">
      <pre>{lines.slice(0, first).join('\n')}</pre>
      {groups(lines.slice(first)).map(({ own, frames }) =>
        own || frames.length === 1 ? (
          <pre class={own ? 'own' : 'muted'}>{frames.join('\n')}</pre>
        ) : (
          <details>
            <summary class="muted">{`${frames.length} frames of libraries`}</summary>
            <pre class="muted">{frames.join('\n')}</pre>
          </details>
        ),
      )}
    </div>
  );
}

interface Group {
  readonly own: boolean;
  readonly frames: string[];
}

function groups(lines: readonly string[]): readonly Group[] {
  const found: Group[] = [];
  for (const line of lines) {
    const own = /^\s*at /.test(line) && !libraryFrame.test(line) && !line.includes(itself);
    const last = found.at(-1);
    if (last?.own === own) last.frames.push(line);
    else found.push({ own, frames: [line] });
  }
  return found;
}
