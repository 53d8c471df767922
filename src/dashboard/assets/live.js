// Keeps an open page true: takes what changed, says in the bar how it stands, and lets times go on.

import { openFeed } from './feed.js';
import { fetchPage, takeCounts, takePage } from './page.js';
import { tick } from './words.js';

/** `<tf-live topics="counts">`: without a script it is a link that lets the page load itself again. */
class Live extends HTMLElement {
  #close = null;
  #retryAt = 0;
  #offset = 0;

  connectedCallback() {
    this.#setOffset();
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'live';
    button.append(document.createElement('i'), document.createElement('span'));
    button.addEventListener('click', () => this.toggle());
    this.replaceChildren(button);
    document.addEventListener('visibilitychange', () => this.#settle());
    document.addEventListener('tf:page', () => this.#setOffset());
    document.addEventListener('click', (event) => this.#onClick(event));
    setInterval(() => this.#onSecond(), 1_000);
    this.#settle();
  }

  toggle() {
    const paused = localStorage.getItem('tf.paused') === 'yes';
    localStorage.setItem('tf.paused', paused ? 'no' : 'yes');
    this.#settle();
    if (paused) void this.#look();
  }

  /** Open while it is wanted and somebody can see it. */
  #settle() {
    const paused = localStorage.getItem('tf.paused') === 'yes';
    const wanted = !paused && !document.hidden;
    if (!wanted) {
      this.#close?.();
      this.#close = null;
    }
    if (wanted && this.#close === null)
      this.#close = openFeed({
        address: this.getAttribute('events'),
        topics: this.getAttribute('topics').split(' '),
        everyMs: Number(this.getAttribute('every')),
        look: () => this.#look(),
        count: takeCounts,
        lost: (waitMs) => this.#lose(waitMs),
      });
    this.#retryAt = 0;
    this.#show(paused ? 'paused' : 'on');
  }

  async #look() {
    const fresh = await fetchPage();
    if (fresh === null || this.#close === null) return fresh !== null;
    // Somebody is choosing: what is under the hand stays as it is.
    takePage(fresh, { hold: true });
    this.#retryAt = 0;
    this.#show('on');
    return true;
  }

  #lose(waitMs) {
    this.#retryAt = Date.now() + waitMs;
    this.#show('lost');
  }

  #show(state) {
    const left = Math.max(1, Math.ceil((this.#retryAt - Date.now()) / 1_000));
    const words = { on: 'Live', paused: 'Paused', lost: `Reconnecting ${left} s` };
    const titles = {
      on: 'Live. Press p to pause',
      paused: 'Paused. Press p to go on',
      lost: 'The server does not answer',
    };
    const [button] = this.children;
    button.className = `live ${state}`;
    button.title = titles[state];
    button.lastChild.textContent = words[state];
    this.state = state;
  }

  #setOffset() {
    this.#offset = Number(document.documentElement.dataset.now ?? Date.now()) - Date.now();
  }

  #onSecond() {
    if (document.hidden) return;
    tick(this.#offset);
    if (this.state === 'lost') this.#show('lost');
  }

  async #onClick(event) {
    if (event.target.closest?.('[data-arrived]') == null) return;
    event.preventDefault();
    const fresh = await fetchPage();
    if (fresh !== null) takePage(fresh);
  }
}

customElements.define('tf-live', Live);
