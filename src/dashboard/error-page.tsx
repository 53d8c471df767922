/** What a person sees when a page cannot be made: what happened, why, and what to do next. */

import type { ErrorDocument } from '../core/errors.ts';
import { Glyph } from './glyphs.tsx';
import { Layout, type PageFrame } from './layout.tsx';

export function ErrorPage({
  error,
  title,
  frame,
}: {
  readonly error: ErrorDocument;
  readonly title: string;
  readonly frame: PageFrame;
}) {
  return (
    <Layout title={title} current={null} frame={frame}>
      <section class="card" role="alert">
        <div class="problem">
          <Glyph view="failed" />
          <div>
            <h1>{error.message}</h1>
            {error.hint === undefined ? null : <p class="muted">{error.hint}</p>}
            {frame.refresh === null ? null : <p class="muted">{`Trying again in ${frame.refresh} s.`}</p>}
            <p class="muted mono">{error.code}</p>
          </div>
        </div>
      </section>
      <a class="button" href={frame.root}>
        To the overview
      </a>
    </Layout>
  );
}
