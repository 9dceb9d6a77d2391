// The admin keeps its theme in localStorage, our own pages in a cookie: this keeps the two the same.
(() => {
  "use strict";

  const YEAR_S = 31536000;
  const KEY = "adminTheme";
  const chosen = document.cookie.match(/(?:^|; )theme=(light|dark|system)/)?.[1];
  if (chosen) localStorage.setItem(KEY, JSON.stringify(chosen === "system" ? "auto" : chosen));

  const remember = () => {
    const theme = JSON.parse(localStorage.getItem(KEY) || '"auto"').replace("auto", "system");
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
  };
  window.addEventListener("pagehide", remember);
})();
