// The arrows that open a part in the sidebar have no words: a screen reader hears the part's name.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".bd-sidebar-primary summary")) {
    const part = arrow.closest("li")?.querySelector("a");
    if (part) arrow.setAttribute("aria-label", part.textContent.trim());
  }
});
