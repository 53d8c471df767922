// The theme a person chose for this browser, before the first paint; without a choice, or without a script, the system's.
try {
  const theme = localStorage.getItem('tf.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // A browser may forbid storage: then the system decides.
}
document.documentElement.classList.add('js');
