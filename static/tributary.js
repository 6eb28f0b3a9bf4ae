// What needs a script of our own: nothing that the pages could not be used without.
'use strict';

// Without an answer there is nothing for the server to explain.
document.addEventListener('htmx:error', ({ detail }) => {
  if (detail.error?.name === 'AbortError') return;
  const text = document.createElement('p');
  text.textContent = 'Tributary cannot be reached. What you see stays as it was; try again in a moment.';
  document.getElementById('alerts').replaceChildren(text);
});

// What went wrong before is over once something has come.
document.addEventListener('htmx:after:swap', ({ detail }) => {
  const status = detail.ctx?.response?.status ?? 0;
  if (status < 400) document.getElementById('alerts')?.replaceChildren();
});
