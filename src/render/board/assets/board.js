// Keeps an open page true. The server tells which units and orders changed; a page that shows one of them is fetched again and
// its <main> put in place of the old one. Without this script the pages work all the same.
"use strict";
(() => {
  const POLL = 20000, SOON = 4000, AGES = 60000, NOT_SOONER = 1500, FOUND_SHOWN = 4000, LOCATE = 10000;
  const body = document.body, lost = document.getElementById("lost"), said = document.getElementById("said");
  const main = () => document.getElementById("main");
  let source = null, poll = 0, timer = 0, last = Date.now(), under_way = false, again = false, is_lost = false;

  // What was said once is not said again by a reload.
  const address = new URL(location.href);
  if (address.searchParams.has("said")) {
    address.searchParams.delete("said");
    history.replaceState(null, "", address);
  }

  function show_lost(now) {
    if (now === is_lost) return;
    is_lost = now;
    lost.classList.toggle("found", !now);
    lost.textContent = now ? body.dataset.lost : body.dataset.found;
    lost.hidden = false;
    if (!now) setTimeout(() => { if (!is_lost) lost.hidden = true; }, FOUND_SHOWN);
  }

  // Words that somebody is typing must not go.
  function is_typing() {
    return [...main().querySelectorAll("input, textarea, select")].some((field) => {
      if (field.type === "hidden") return false;
      if (field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") {
        const chosen = [...field.options].findIndex((o) => o.defaultSelected);
        return field.selectedIndex !== Math.max(chosen, 0);
      }
      return field.value !== field.defaultValue;
    });
  }

  // Where an element is found again in the new page.
  function place_of(element) {
    if (!element || !main().contains(element) || element === main()) return null;
    if (element.id) return "#" + CSS.escape(element.id);
    const href = element.getAttribute("href"), name = element.getAttribute("name"), value = element.getAttribute("value");
    const tag = element.tagName.toLowerCase();
    let own = tag;
    if (href) own += `[href="${CSS.escape(href)}"]`;
    if (name) own += `[name="${CSS.escape(name)}"]`;
    if (value && tag === "button") own += `[value="${CSS.escape(value)}"]`;
    const row = element.closest("[data-unit], [data-order], [data-rule], [data-alert], [data-incident]");
    if (!row || row === element) return own;
    const key = ["data-unit", "data-order", "data-rule", "data-alert", "data-incident"].find((k) => row.hasAttribute(k));
    const list = row.closest("[id]");
    return (list ? "#" + CSS.escape(list.id) + " " : "") + `[${key}="${CSS.escape(row.getAttribute(key))}"] ${own}`;
  }

  function put(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = page.getElementById("main"), old = main();
    if (!fresh) return;
    const focus = document.activeElement, place = place_of(focus), top = scrollY, left = scrollX;
    const start = focus && focus.selectionStart, end = focus && focus.selectionEnd;
    const open = new Map([...old.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
    const told = new Map([...old.querySelectorAll("[data-readiness], [data-state]")].map((e) => [key_of(e), state_of(e)]));
    const words = old.dataset.say;
    for (const details of fresh.querySelectorAll("details[id]")) {
      if (open.has(details.id)) details.open = open.get(details.id);
    }
    for (const row of fresh.querySelectorAll(".row[data-readiness], .row[data-state]")) {
      if (told.size && told.get(key_of(row)) !== state_of(row)) row.classList.add("news");
    }
    const flash = old.querySelector("[data-flash]");
    if (flash && !fresh.querySelector("[data-flash]")) fresh.prepend(document.importNode(flash, true));
    old.replaceChildren(...fresh.childNodes);
    old.dataset.live = fresh.dataset.live;
    old.dataset.say = fresh.dataset.say;
    document.title = page.title;
    const footer = document.querySelector("footer"), new_footer = page.querySelector("footer");
    if (footer && new_footer) footer.replaceChildren(...new_footer.childNodes);
    const found = place && old.querySelector(place);
    if (found) {
      found.focus({ preventScroll: true });
      if (typeof start === "number" && found.setSelectionRange && found.type !== "checkbox") {
        try { found.setSelectionRange(start, end); } catch { /* this kind of field has no caret */ }
      }
    }
    scrollTo(left, top);
    if (fresh.dataset.say && words !== fresh.dataset.say) said.textContent = fresh.dataset.say;
  }

  const key_of = (e) => `${e.closest("[id]")?.id} ${e.dataset.unit || e.dataset.order || ""} ${e.dataset.alert || e.dataset.rule || ""}`;
  const state_of = (e) => `${e.dataset.readiness || ""}${e.dataset.state || ""}`;

  async function look() {
    if (under_way) { again = true; return; }
    if (is_typing()) { said.textContent = body.dataset.typing; return; }
    under_way = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", cache: "no-store" });
      // Signed out meanwhile.
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.assign(answer.url); return; }
      if (answer.ok && !is_typing()) put(await answer.text());
      if (!source || source.readyState === EventSource.OPEN) show_lost(answer.status >= 500);
    } catch {
      show_lost(true);
    } finally {
      under_way = false;
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; look(); }, Math.max(50, last + NOT_SOONER - Date.now()));
  }

  function concerns(news) {
    const live = main().dataset.live;
    if (news.more || live === "all") return true;
    const shown = new Set(live.split(" "));
    return news.units.some((u) => shown.has("unit:" + u)) || news.orders.some((o) => shown.has("order:" + o));
  }

  function listen() {
    if (!body.dataset.events || source) return;
    source = new EventSource(body.dataset.events);
    source.addEventListener("open", () => {
      clearInterval(poll);
      poll = 0;
      // What happened while nobody listened was not told.
      if (is_lost) { show_lost(false); soon(); }
    });
    source.addEventListener("changed", (event) => { if (concerns(JSON.parse(event.data))) soon(); });
    source.addEventListener("error", () => {
      const is_refused = source && source.readyState === EventSource.CLOSED;
      if (is_refused) {
        // No place to listen: look every now and then, and ask for a place again.
        stop();
        if (!poll) poll = setInterval(() => { look(); listen(); }, POLL);
        look();
      } else {
        show_lost(true);
      }
    });
  }

  function stop() {
    if (source) source.close();
    source = null;
  }

  // A page that nobody sees holds no place.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { stop(); clearInterval(poll); poll = 0; } else { listen(); soon(); }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); soon(); } });
  if (body.dataset.events) {
    // Ages grow by themselves.
    setInterval(() => { if (!document.hidden && Date.now() - last > AGES - 1000) look(); }, AGES);
    // A command is on its way: how far it is, no commit tells.
    setInterval(() => { if (!document.hidden && main().dataset.live.split(" ").includes("soon")) look(); }, SOON);
    listen();
  }

  // Only the browser knows where it is, and tells it on a safe connection alone. Without it, the link leads to the form.
  if (isSecureContext && navigator.geolocation) {
    document.documentElement.classList.add("can-locate");
    document.addEventListener("click", (event) => {
      const asked = event.target.closest("[data-here]");
      if (!asked || asked.ariaBusy === "true") return;
      event.preventDefault();
      asked.ariaBusy = "true";
      navigator.geolocation.getCurrentPosition(({ coords }) => {
        const near = `${coords.latitude.toFixed(4)},${coords.longitude.toFixed(4)}`;
        if (asked.form) {
          asked.form.elements.near.value = near;
          asked.form.requestSubmit();
          return;
        }
        const to = new URL(asked.href);
        to.searchParams.set("near", near);
        to.hash = "";
        location.assign(to);
      }, () => {
        asked.ariaBusy = "false";
        if (asked.form) document.getElementById("near-help").textContent = asked.dataset.sorry;
        else location.assign(asked.href);
      }, { timeout: LOCATE, maximumAge: AGES });
    });
  }

  // One press of a button is one form.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000);
  });
})();
