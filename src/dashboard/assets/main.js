// What every page loads: live changes, forms, rows, the filter box, the keyboard and the theme.

import './live.js';
import './forms.js';
import './selection.js';
import './filter.js';
import './keys.js';

const themes = { system: 'light', light: 'dark', dark: 'system' };

function showTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll('.themes button'))
    button.setAttribute('aria-pressed', String(button.value === theme));
}

/** At once; the server has the browser keep it. */
function takeTheme(theme) {
  showTheme(theme);
  const address = document.querySelector('.themes').getAttribute('action');
  void fetch(address, { method: 'POST', body: new URLSearchParams({ theme }), redirect: 'manual' }).catch(() => {});
  document.dispatchEvent(new CustomEvent('tf:theme'));
}

const themeNow = () => document.documentElement.dataset.theme ?? 'system';
showTheme(themeNow());
document.addEventListener('tf:next-theme', () => takeTheme(themes[themeNow()]));

document.addEventListener(
  'submit',
  (event) => {
    if (!event.target.matches('.themes')) return;
    event.preventDefault();
    takeTheme(event.submitter.value);
  },
  { capture: true },
);

// A menu closes when somebody goes elsewhere, and with Escape.
document.addEventListener('click', ({ target }) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener('keydown', (event) => {
  const menu = event.key === 'Escape' ? document.querySelector('details.menu[open]') : null;
  if (menu === null) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});

// Said once: a page that is loaded again or sent to somebody does not say it anew.
const address = new URL(location.href);
if (address.searchParams.has('done')) {
  address.searchParams.delete('done');
  address.searchParams.delete('undo');
  history.replaceState(null, '', address);
}
