// What links and forms cannot do. The pages can be used without any of it; buttons that need it are
// hidden until it is here.
'use strict';

(() => {
  const alerts = document.getElementById('alerts');
  const beside = () => document.getElementById('beside');
  let opener = null; // the link whose item stands beside the list
  let pressed = null; // what asked for the swap that is on; htmx forgets one that goes by it
  let step = null; // the address at which an item that is open is a step of the browser's history
  let last = null; // the row after which more is to come

  const isProgress = (element) => element?.hasAttribute('hx-sse:connect');

  const show = () => {
    for (const button of document.querySelectorAll('[data-copy][hidden], #beside [data-close][hidden]')) {
      button.hidden = false;
    }
  };

  const go = (element) => {
    if (element.tabIndex < 0) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  };

  const mark = (link) => {
    opener?.removeAttribute('aria-current');
    link?.setAttribute('aria-current', 'true');
    opener = link;
  };

  const putAway = () => {
    const back = opener?.isConnected ? opener : document.getElementById('main');
    beside().replaceChildren();
    mark(null);
    go(back);
  };

  // Going back puts an item away that was opened beside the list, and leaves the list as it is.
  const close = () => (step === location.href ? history.back() : putAway());

  document.addEventListener('htmx:before:history:restore', (event) => {
    const onlyTheItem = step === location.href && beside()?.firstElementChild;
    step = null;
    if (!onlyTheItem) return;
    event.preventDefault();
    // Browsers go on to where the list was when the item came.
    const at = window.scrollY;
    window.addEventListener('scroll', () => window.scrollTo(0, at), { once: true, signal: AbortSignal.timeout(300) });
    putAway();
  });

  for (const moved of ['push', 'replace']) {
    document.addEventListener(`htmx:after:history:${moved}`, () => { step = null; });
  }

  const copy = async (button) => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    button.textContent = 'Copied';
  };

  document.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-copy], [data-close]');
    if (button?.dataset.close) close();
    else if (button) copy(button);
  });

  // Who chooses colours comes back to what they see, also where the address has changed since it was drawn.
  const drawn = location.href;
  document.addEventListener('submit', ({ target }) => {
    if (location.href === drawn || !target.matches('.schemes')) return;
    target.elements.from.value = location.pathname + location.search;
  });

  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && beside()?.firstElementChild) close();
  });

  // Whoever reads on begins at the first new row; whoever pressed what is gone, at what was found.
  const readOn = () => {
    const { activeElement: at, body } = document;
    const more = last?.nextElementSibling;
    if (more && (at === body || at.id === 'more')) go(more.querySelector('a, [tabindex]') ?? more.cells[0]);
    else if (at === body && pressed?.isConnected === false) go(document.getElementById('found') ?? body);
  };

  // Without an answer there is nothing for the server to explain. Progress is asked for again by itself.
  document.addEventListener('htmx:error', ({ detail }) => {
    if (detail.error?.name === 'AbortError' || isProgress(detail.ctx?.sourceElement)) return;
    const text = document.createElement('p');
    text.textContent = 'Tributary cannot be reached. What you see stays as it was; try again in a moment.';
    alerts.replaceChildren(text);
  });

  document.addEventListener('htmx:before:swap', ({ detail }) => {
    pressed = detail.ctx?.sourceElement;
    last = pressed?.closest('tr.more')?.previousElementSibling;
  });

  document.addEventListener('htmx:after:swap', ({ detail }) => {
    const source = detail.ctx?.sourceElement;
    // What went wrong before is over once something has come that was asked for.
    const unasked = isProgress(source);
    if (!unasked && (detail.ctx?.response?.status ?? 0) < 400) alerts.replaceChildren();
    show();
    if (!unasked) readOn();
    // Whoever opens an item beside the list goes on reading there.
    const name = beside()?.querySelector('#item-name:not([data-met])');
    if (name) {
      name.dataset.met = '';
      mark(source);
      go(name);
      if (!step) history.pushState({ htmx: true }, '');
      step = location.href;
    }
  });

  show();
})();
