// The decision card: one answer stands open at a time, and whoever opens one can type at once. Works without it, too.
(() => {
  "use strict";

  document.addEventListener(
    "toggle",
    (event) => {
      const answer = event.target;
      if (!answer.matches("[data-answer]") || !answer.open) return;
      for (const other of document.querySelectorAll("[data-answer][open]")) {
        if (other !== answer) other.open = false;
      }
      answer.querySelector("textarea, input:not([type=hidden])").focus();
    },
    true,
  );
})();
