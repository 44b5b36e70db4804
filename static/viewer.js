// Before anything is drawn: the theme that was chosen on the preferences page, and the time zone of this browser.
"use strict";

(() => {
  const root = document.documentElement;
  const cookie = (name) => document.cookie.split("; ").find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
  const secure = location.protocol === "https:" ? "; secure" : "";
  const keep = (name, value, age = "") => { document.cookie = `${name}=${value}; path=/; samesite=lax${age}${secure}`; };

  const theme = cookie("theme");
  if (["auto", "light", "dark"].includes(theme)) localStorage.setItem("theme", theme);
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".theme-toggle")) return;
    setTimeout(() => keep("theme", root.dataset.theme ?? "auto", "; max-age=31536000"));
  });

  // Until a zone is chosen on the preferences page, the browser's is used. A page that was drawn without knowing it is
  // read once more, before anything can be typed into it.
  if (cookie("timezone")) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  if (cookie("zone") === zone) return;
  keep("zone", zone);
  if (root.dataset.zone && root.dataset.zone !== zone && cookie("zone")) location.reload();
})();
