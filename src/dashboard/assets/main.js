// What every page loads: live changes, forms, rows, the filter box, the keyboard and the theme.

import './live.js';
import './forms.js';
import './selection.js';
import './filter.js';
import './keys.js';

const themes = { system: 'light', light: 'dark', dark: 'system' };
const glyphs = { system: '◐', light: '○', dark: '●' };

function showTheme(button) {
  const theme = document.documentElement.dataset.theme ?? 'system';
  button.textContent = glyphs[theme];
  button.title = `Theme: ${theme}. Press t to change`;
  button.setAttribute('aria-label', `Theme: ${theme}`);
}

for (const button of document.querySelectorAll('[data-theme-switch]')) {
  showTheme(button);
  button.addEventListener('click', () => {
    const theme = themes[document.documentElement.dataset.theme ?? 'system'];
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem('tf.theme', theme);
    showTheme(button);
    document.dispatchEvent(new CustomEvent('tf:theme'));
  });
}

// Said once: a page that is loaded again or sent to somebody does not say it anew.
const address = new URL(location.href);
if (address.searchParams.has('done')) {
  address.searchParams.delete('done');
  history.replaceState(null, '', address);
}
