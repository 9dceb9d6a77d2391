// What the shell does beyond plain HTML: change the theme without a reload, copy full ids, fold panels away,
// and say it aloud when a partial page could not be fetched. Everything here works without it, too.
(() => {
  "use strict";

  const YEAR_S = 31536000;
  const PANELS = "details.person[open], details.act[open]";
  const THEME_WORDS = { system: "System", light: "Light", dark: "Dark" };

  const announce = (sentence, tone = "blue") => {
    const region = document.getElementById("messages");
    const message = document.createElement("p");
    message.className = `message tone-${tone}`;
    message.textContent = sentence;
    region.append(message);
    return message;
  };

  const nextTheme = (theme) => ({ system: "light", light: "dark", dark: "system" })[theme];

  const applyTheme = (form, theme) => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;

    const following = nextTheme(theme);
    const button = form.querySelector("button");
    const picture = button.querySelector("use");
    form.elements.theme.value = following;
    button.setAttribute("aria-label", `Theme: ${THEME_WORDS[theme]}. Change to ${THEME_WORDS[following]}`);
    button.title = `Theme: ${THEME_WORDS[theme]}`;
    picture.setAttribute("href", picture.getAttribute("href").replace(/#.*/, `#${theme}`));
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-theme-form]")) return;
    event.preventDefault();
    applyTheme(form, form.elements.theme.value);
  });

  document.addEventListener("click", async (event) => {
    const id = event.target.closest("[data-copy]");
    if (id) {
      const note = await copied(id.dataset.copy);
      const shown = id.textContent;
      id.textContent = note;
      setTimeout(() => (id.textContent = shown), 1200);
      return;
    }
    for (const panel of document.querySelectorAll(PANELS)) {
      if (!panel.contains(event.target)) panel.open = false;
    }
  });

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return "copied";
    } catch {
      return text; // No permission, or no https: show it in full, so that it can be selected.
    }
  };

  document.addEventListener("keydown", (event) => {
    const panel = document.querySelector(PANELS);
    if (event.key !== "Escape" || !panel) return;
    panel.open = false;
    panel.querySelector("summary").focus();
  });

  // The address says which part of a page is shown (see .tabbed): its tab says so, too.
  const markTabs = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (const tabs of document.querySelectorAll("[data-tabs]")) {
      const parts = [...tabs.nextElementSibling.children];
      const shown = parts.find((part) => part.contains(named)) ?? parts[0];
      for (const tab of tabs.querySelectorAll("a")) {
        if (tab.hash === `#${shown.id}`) tab.setAttribute("aria-current", "true");
        else tab.removeAttribute("aria-current");
      }
    }
  };
  window.addEventListener("hashchange", markTabs);
  markTabs();

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  document.addEventListener("htmx:configRequest", (event) => {
    const token = event.detail.elt.closest("form")?.elements.csrfmiddlewaretoken;
    if (token) event.detail.headers["X-CSRFToken"] = token.value;
  });

  document.addEventListener("htmx:sendError", () => {
    announce("The server could not be reached. Look at your connection, then try again.", "red");
  });

  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    const sentence =
      status === 403
        ? "You may not do that, or you have been logged out. Reload the page to see which."
        : `The server answered with an error (${status}). Nothing has changed; try again, or reload the page.`;
    announce(sentence, "red");
  });
})();
