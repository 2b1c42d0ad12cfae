// What all pages do with what happens: hear it, say the few things worth hearing, and show the page as it is now. Every
// page is made by the service; here only those of its parts are put in place that have changed.

const words = document.getElementById("words")?.dataset ?? {};
const said = document.getElementById("said");
const AT_MOST_EVERY = 1000; // milliseconds: a build has hundreds of events a second
const SEEN_FOR = 8000;
const ANYWAY_EVERY = 10_000; // for what no event tells: the time that is left, the disk

/** Have a screen reader say it, once it has ended what it says; `seen` also shows it for a while. */
export function say(sentence, { what = "", seen = false } = {}) {
  said.textContent = sentence.replace("{}", () => what);
  said.className = seen ? "toast" : "unseen";
  clearTimeout(say.over);
  if (seen) say.over = setTimeout(() => { said.className = "unseen"; }, SEEN_FOR);
}

/** The page as the service shows it now, as a document that runs nothing. Throws where there is no answer. */
export async function current(path = location.pathname) {
  const answer = await fetch(path, { headers: { Accept: "text/html" }, cache: "no-store" });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Each part as the service last made it. What was done to it here since (a marked word, an open fold) is no difference.
const served = new Map([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.outerHTML]));

/** Put the parts of a page that differ into this one, but those that are held. What has the focus keeps it. */
export function show(page, isHeld = () => false) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = page.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    if (!now || isHeld(part) || now.outerHTML === served.get(part.dataset.part)) continue;
    served.set(part.dataset.part, now.outerHTML);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const folds = (one) => [...(one.matches("details") ? [one] : []), ...one.querySelectorAll("details")];
    const open = folds(part).map((one) => one.open);
    part.replaceWith(now);
    folds(now).forEach((one, index) => { if (index in open) one.open = open[index]; });
    paint(now);
    if (focused) ((focused.id && document.getElementById(focused.id)) || now.closest("section, main")).focus({ preventScroll: true });
  }
}

const steps = new Map(); // episode → what is being made of it at this moment: only the events tell

function paint(within) {
  for (const place of within.querySelectorAll("[data-episode] .step")) {
    place.textContent = steps.get(place.closest("[data-episode]").dataset.episode) ?? "";
  }
}

/** Follow what happens. `heard` is told each event; `shown` is called when the page has been brought up to date, but for what `isHeld`. */
export function follow({ heard = () => {}, shown = () => {}, isHeld = () => false } = {}) {
  let due = 0, asking = false, again = false;

  async function refresh() {
    due = 0;
    if (document.hidden) { again = true; return; }
    if (asking) { again = true; return; }
    asking = true;
    again = false;
    try {
      const page = await current();
      show(page, isHeld);
      sayUntold();
      shown(page);
    } catch { /* it is asked again */ }
    asking = false;
    if (again) soon();
  }
  const soon = () => { due ||= setTimeout(refresh, AT_MOST_EVERY); };
  setInterval(soon, ANYWAY_EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) soon(); });

  const events = new EventSource("/api/v1/events");
  const on = (kind, act) => events.addEventListener(kind, (event) => { act(JSON.parse(event.data)); heard(kind, JSON.parse(event.data)); });
  // An event names an episode by its folder; what it is called is on the page once that has been brought up to date.
  let untold = [];
  const titled = (slug) => document.querySelector(`main a[href="/episodes/${CSS.escape(slug)}"]`)?.textContent;
  const tell = (sentence, slug) => { if (sentence) untold.push([sentence, slug]); soon(); };
  function sayUntold() {
    const told = untold.map(([sentence, slug]) => sentence.replace("{}", () => titled(slug) ?? slug));
    if (told.length) say(told.join(". "));
    untold = [];
  }
  for (const kind of ["maker", "round", "round_done", "interrupted", "held", "engine", "made"]) on(kind, soon);
  on("opened", (it) => tell(words.making, it.episode));
  on("started", (it) => {
    steps.set(it.episode, it.step ?? "");
    paint(document);
    soon();
  });
  on("done", (it) => tell(words.done, it.episode));
  on("failed", (it) => tell(words.failed, it.episode));
  on("waiting", (it) => { say(words.waiting ?? words.saidWaiting, { what: words[it.service] ?? "" }); soon(); });
  on("back", (it) => { say(words.back ?? words.saidBack, { what: words[it.service] ?? "" }); soon(); });
  return { refresh: soon };
}

/** Forms whose outcome is seen on this very page are sent beside it, so that nothing that is being typed is lost. */
export function beside(refresh) {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-beside]")) return;
    event.preventDefault();
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
    if (answer?.ok) refresh(); else form.submit();
  });
}
