/** Where people sign in, and out: one field and one button. */

import type { ErrorDocument } from '../core/errors.ts';
import { Layout, type PageFrame } from './layout.tsx';

interface LoginProps {
  readonly frame: PageFrame;
  readonly next: string;
  readonly error: ErrorDocument | null;
  readonly actor: string | null;
}

export function LoginPage({ frame, next, error, actor }: LoginProps) {
  return (
    <Layout title="Sign in" current={null} frame={frame}>
      {actor === null ? null : <SignedIn frame={frame} actor={actor} />}
      <section class="card signin">
        <h1>{actor === null ? 'Sign in' : 'Sign in as somebody else'}</h1>
        {error === null ? null : <Refusal error={error} />}
        <form method="post" action={`${frame.root}login`} data-leaves>
          <input type="hidden" name="next" value={next} />
          <label for="token">Key</label>
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            placeholder="tf_user_…"
            required
            autofocus
          />
          <button class="button first" type="submit">
            Sign in
          </button>
        </form>
        <p class="muted">
          The first start of the server has shown a key. Another one:{' '}
          <code>taskflow token create NAME --role operator</code>
        </p>
      </section>
    </Layout>
  );
}

/** What a key is, is said below the field; the hint of a refused one is for programs. */
function Refusal({ error: { code, message, hint } }: { readonly error: ErrorDocument }) {
  return (
    <p class="tint-failed" role="alert">
      {message}
      {hint === undefined || code === 'UNAUTHENTICATED' ? null : ` ${hint}`}
    </p>
  );
}

function SignedIn({ frame, actor }: { readonly frame: PageFrame; readonly actor: string }) {
  return (
    <section class="card signin">
      <p>
        You are signed in as <b>{actor}</b>.
      </p>
      <form method="post" action={`${frame.root}logout`}>
        <button class="button" type="submit">
          Sign out
        </button>
      </form>
    </section>
  );
}
