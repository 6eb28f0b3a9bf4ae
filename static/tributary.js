// What links and forms cannot do: copy a text, close what stands beside the list. Everything else works
// without this file; buttons that need it are hidden until it is here.
(() => {
  const show = (root) => {
    for (const it of root.querySelectorAll("[data-copy][hidden]")) it.hidden = false;
    for (const it of root.querySelectorAll("#beside [data-close][hidden]")) it.hidden = false;
  };

  const close = (place) => {
    place.replaceChildren();
    if (opener?.isConnected) opener.focus();
  };

  let opener = null;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-close]");
    const link = event.target.closest("[hx-target='#beside']");
    if (link) opener = link;
    if (!button) return;
    if (button.dataset.close) return close(document.querySelector(button.dataset.close));
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  });

  document.addEventListener("keydown", (event) => {
    const beside = document.querySelector("#beside");
    if (event.key === "Escape" && beside?.firstElementChild) close(beside);
  });

  // Who opens an item beside the list goes on reading there.
  document.addEventListener("htmx:after:swap", () => {
    show(document);
    const name = document.querySelector("#beside #item-name:not([data-met])");
    if (name) {
      name.dataset.met = "";
      name.focus();
    }
  });

  show(document);
})();
