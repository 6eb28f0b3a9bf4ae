// What links and forms cannot do. The pages can be used without any of it; buttons that need it are
// hidden until it is here.
'use strict';

(() => {
  const alerts = document.getElementById('alerts');
  const beside = () => document.getElementById('beside');
  let opener = null;

  const show = () => {
    for (const button of document.querySelectorAll('[data-copy][hidden], #beside [data-close][hidden]')) {
      button.hidden = false;
    }
  };

  const close = (place) => {
    place.replaceChildren();
    if (opener?.isConnected) opener.focus();
  };

  const copy = async (button) => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    button.textContent = 'Copied';
  };

  document.addEventListener('click', ({ target }) => {
    opener = target.closest('[hx-target="#beside"]') ?? opener;
    const button = target.closest('[data-copy], [data-close]');
    if (button?.dataset.close) close(beside());
    else if (button) copy(button);
  });

  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && beside()?.firstElementChild) close(beside());
  });

  // Without an answer there is nothing for the server to explain.
  document.addEventListener('htmx:error', ({ detail }) => {
    if (detail.error?.name === 'AbortError') return;
    const text = document.createElement('p');
    text.textContent = 'Tributary cannot be reached. What you see stays as it was; try again in a moment.';
    alerts.replaceChildren(text);
  });

  document.addEventListener('htmx:after:swap', ({ detail }) => {
    // What went wrong before is over once something has come that was asked for.
    const unasked = detail.ctx?.sourceElement?.hasAttribute('hx-sse:connect');
    if (!unasked && (detail.ctx?.response?.status ?? 0) < 400) alerts.replaceChildren();
    show();
    // Who opens an item beside the list goes on reading there.
    const name = beside()?.querySelector('#item-name:not([data-met])');
    if (name) {
      name.dataset.met = '';
      name.focus();
    }
  });

  show();
})();
