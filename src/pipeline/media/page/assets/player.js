// The transcript follows the sound, and a click on a word moves the sound. Without this file everything can still be
// read and heard. A plain script, because modules are not loaded from a disk (file://).
"use strict";

(() => {
  document.documentElement.classList.add("js");
  const sound = document.getElementById("sound");
  if (sound) listen([sound, document.getElementById("film")].filter(Boolean));
  const find = document.getElementById("find");
  if (find) search(find);

  // Sound and film say the same at the same time: only one of them plays, and the other goes on where it was left.
  function listen(media) {
    let active = media[0];
    let words, starts, chapters, current;
    read();
    // A page whose words were put in place anew says so.
    document.addEventListener("transcript", () => { read(); show(); });
    const follow = document.getElementById("follow");
    const calm = matchMedia("(prefers-reduced-motion: reduce)");

    for (const button of document.querySelectorAll("[data-skip]")) {
      button.addEventListener("click", () => skip(Number(button.dataset.skip)));
    }
    document.getElementById("speed").addEventListener("change", (event) => {
      for (const medium of media) medium.playbackRate = Number(event.target.value);
    });

    document.addEventListener("click", (event) => {
      const target = event.target.closest("[data-start]");
      if (!target || event.ctrlKey || event.metaKey || getSelection().toString()) return;
      event.preventDefault();
      if (target.tagName === "A") history.replaceState(null, "", target.getAttribute("href"));
      moveTo(Number(target.dataset.start));
    });
    // Keys without Ctrl or Alt work where they belong and nowhere else, for those who dictate (WCAG 2.2, 2.1.4).
    document.addEventListener("keydown", (event) => {
      if (!event.target.closest(".player, .chapters, #transcript")) return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, audio, video")) return;
      if (event.key === "k") active.paused ? play() : active.pause();
      else if (event.key === "j") skip(-15);
      else if (event.key === "l") skip(15);
      else return;
      event.preventDefault();
    });

    function read() {
      words = [...document.querySelectorAll(".w")];
      starts = words.map((word) => Number(word.dataset.start));
      chapters = [...document.querySelectorAll(".chapters a")];
      current = -1;
    }

    function play() {
      active.play().catch(() => {});  // a browser may want a click first
    }

    function skip(seconds) {
      active.currentTime = Math.max(0, active.currentTime + seconds);
    }

    function moveTo(seconds) {
      // A hair later, so that the word itself is the one that is marked.
      active.currentTime = seconds + 0.005;
      play();
      show();
    }

    function turnTo(medium) {
      if (medium === active) return;
      active.pause();
      if (medium.currentTime < 0.1) medium.currentTime = active.currentTime;
      active = medium;
    }

    // The last word that has begun: a search by halves, because an hour has nine thousand.
    function wordAt(time) {
      let low = 0, high = starts.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (starts[middle] <= time) low = middle + 1; else high = middle;
      }
      return low - 1;
    }

    function show() {
      const time = active.currentTime;
      const now = wordAt(time);
      if (now === current) return;
      const before = words[current], word = words[now];
      before?.classList.remove("now");
      word?.classList.add("now");
      const line = word?.parentElement, lineBefore = before?.parentElement;
      if (line !== lineBefore) {
        lineBefore?.classList.remove("now");
        line?.classList.add("now");
        // Who watches is not scrolled away from the film.
        if (line && follow.checked && !active.paused && active.tagName === "AUDIO") {
          line.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
        }
        for (const [index, chapter] of chapters.entries()) {
          const next = chapters[index + 1];
          const here = Number(chapter.dataset.start) <= time + 0.01 && (!next || time + 0.01 < Number(next.dataset.start));
          if (here) chapter.setAttribute("aria-current", "true"); else chapter.removeAttribute("aria-current");
        }
      }
      current = now;
    }

    // timeupdate comes four times a second, too seldom for words; frames come while there is something to see.
    function run() { show(); if (!active.paused && !active.ended) requestAnimationFrame(run); }
    for (const medium of media) {
      medium.addEventListener("play", () => { turnTo(medium); run(); });
      for (const moved of ["seeked", "timeupdate"]) {
        medium.addEventListener(moved, () => { if (medium === active) show(); });
      }
    }

    const asked = /^#t=([\d.]+)$/.exec(location.hash);
    if (asked) {
      const begin = () => { active.currentTime = Number(asked[1]) + 0.005; };
      active.readyState ? begin() : active.addEventListener("loadedmetadata", begin, { once: true });
    }
  }

  function search(find) {
    const items = [...document.querySelectorAll(".shelf > li")];
    const texts = items.map((item) => plain(item.textContent));
    const nothing = document.getElementById("nothing");
    find.addEventListener("input", () => {
      const wanted = plain(find.value).split(/\s+/).filter(Boolean);
      let shown = 0;
      items.forEach((item, index) => {
        item.hidden = !wanted.every((word) => texts[index].includes(word));
        shown += !item.hidden;
      });
      nothing.hidden = shown > 0;
    });
  }

  function plain(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  }
})();
