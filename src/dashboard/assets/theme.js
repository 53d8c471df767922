// The theme a person chose for this browser, before the first paint, also where the server did not ask who they are.
const chosen = /(?:^|; )tf-theme=(light|dark)/.exec(document.cookie)?.[1];
if (chosen !== undefined) document.documentElement.dataset.theme = chosen;
document.documentElement.classList.add('js');
