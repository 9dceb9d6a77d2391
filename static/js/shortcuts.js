// Keyboard shortcuts, declared where they act: <a aria-keyshortcuts="j">. Pressing the key clicks the control (or puts the
// cursor into it, if it is a field); while somebody types, keys are theirs. `?` lists the shortcuts of the page at hand.
(() => {
  "use strict";

  // The list itself can always be asked for, though its button is folded away in the person's menu.
  const usable = (control) => (control.checkVisibility() || control.matches("[data-shows-shortcuts]")) && !control.disabled;

  const controls = () => [...document.querySelectorAll("[aria-keyshortcuts]")].filter(usable);

  const isField = (element) => element.matches("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");

  const nameOf = (control) =>
    control.getAttribute("aria-label") ||
    control.labels?.[0]?.textContent.trim() ||
    control.dataset.shortcutName ||
    control.textContent.trim();

  const showList = () => {
    const dialog = document.getElementById("shortcuts");
    const list = dialog.querySelector("dl");
    list.replaceChildren(
      ...controls().flatMap((control) => {
        const key = document.createElement("dt");
        const meaning = document.createElement("dd");
        const cap = document.createElement("kbd");
        cap.textContent = control.getAttribute("aria-keyshortcuts");
        key.append(cap);
        meaning.textContent = nameOf(control);
        return [key, meaning];
      }),
    );
    if (!dialog.open) dialog.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(event.target) || document.querySelector("dialog[open]")) return;
    const wanted = controls().find((control) => control.getAttribute("aria-keyshortcuts").split(" ").includes(event.key));
    if (!wanted) return;
    event.preventDefault();
    if (isField(wanted)) wanted.focus();
    else wanted.click();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-shows-shortcuts]")) showList();
  });

  for (const button of document.querySelectorAll("[data-shows-shortcuts]")) button.hidden = false;
})();
