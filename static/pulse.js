// The page's pulse: what wants to stay current (fragments, boards of charts) joins, and once a second all that
// is due is asked for in one request (app/live.py) and answered one by one. It rests while the tab is hidden,
// says when the studio is silent or slow, tries again at longer and longer pauses, and says when it is back.
// It knows nothing of what is asked: that is live.js and charts.js, loaded after it.
(() => {
  "use strict";
  const BEAT = 1000; // ms; looks fall on these, so that slower ones ride along with quicker ones
  const SLOW = 5000; // ms without an answer until the page says so
  const PATIENCE = 10_000; // ms until a request is given up
  const LONG = 60_000; // the same of one that goes alone, which may bring a lot
  const LONGEST_PAUSE = 10; // seconds between tries while nobody answers
  const members = new Set(); // {ask, alone, hear, tag, text, due, busy, wanted, failures}
  const born = performance.now();
  let [timer, queued, failures, heard] = [0, false, 0, Date.now()];

  const beats = () => (performance.now() - born) / BEAT;
  const pause = (tries) => Math.min(LONGEST_PAUSE, 2 ** (tries - 1));

  // The beat nearest to so many seconds after a moment that is still to come.
  const onBeat = (moment, seconds) => Math.max(Math.round(moment + seconds), Math.floor(beats()) + 1);

  // ask(): the address. hear({status, every, body}): takes the answer, returns the seconds until the next look
  // (0: none until something asks for it). alone(): whether this look is better not mixed with others: a long one.
  function join({ ask, hear, alone = () => false }) {
    const member = { ask, hear, alone, tag: "", text: "", due: Infinity, busy: false, wanted: false, failures: 0 };
    members.add(member);
    look(member);
    return {
      look: () => look(member),
      forget: () => (member.tag = ""),
      leave() {
        members.delete(member);
        studio.lost(member, false);
      },
    };
  }

  // Looks asked for in one go are sent together, at once.
  function look(member) {
    member.wanted = true;
    if (queued) return;
    queued = true;
    queueMicrotask(() => {
      queued = false;
      send((one) => one.wanted, true);
    });
  }

  function lookAtAll() {
    for (const member of members) look(member);
  }

  function send(isMeant, fresh) {
    if (document.hidden) return;
    const meant = [...members].filter((member) => !member.busy && isMeant(member));
    const shared = meant.filter((member) => !member.alone());
    for (const member of meant) if (!shared.includes(member)) exchange([member], single, LONG, fresh);
    if (shared.length) exchange(shared, together, PATIENCE, fresh);
  }

  function plan() {
    clearTimeout(timer);
    const due = Math.min(...[...members].map((member) => (member.busy ? Infinity : member.due)));
    if (document.hidden || due === Infinity) return;
    timer = setTimeout(() => send((member) => member.due <= beats() + 0.1, false), (due - beats()) * BEAT);
  }

  async function exchange(asked, reach, patience, fresh) {
    const sent = fresh ? beats() : Math.floor(beats() + 0.1); // a late beat does not make the next one late
    for (const member of asked) Object.assign(member, { busy: true, wanted: false });
    const control = new AbortController();
    const late = setTimeout(silent, patience === LONG ? LONG : SLOW);
    const enough = setTimeout(() => control.abort(), patience);
    const answers = await reach(asked, fresh, control.signal).catch(() => null);
    clearTimeout(late);
    clearTimeout(enough);
    for (const member of asked) member.busy = false;
    if (answers) {
      [failures, heard] = [0, Date.now()];
      studio.lost("studio", false);
      asked.forEach((member, index) => deliver(member, answers[index], sent));
    } else {
      failures += 1;
      if (failures > 1) silent();
      for (const member of asked) Object.assign(member, { tag: "", due: onBeat(beats(), pause(failures)) });
    }
    if (asked.some((member) => member.wanted)) send((member) => member.wanted, true);
    plan();
  }

  const silent = () => studio.lost("studio", true, heard);

  function deliver(member, answer, sent) {
    if (!members.has(member)) return;
    const text = answer.patch ? mend(member.text, answer.patch) : answer.body;
    if (answer.status !== 304) Object.assign(member, { tag: answer.tag ?? "", text: typeof text === "string" ? text : "" });
    member.failures = answer.status >= 500 ? member.failures + 1 : 0;
    let wait = 1;
    try {
      wait = member.hear({ status: answer.status, every: answer.every ?? null, body: text });
    } catch (problem) {
      reportError(problem);
    }
    if (member.failures) wait = pause(member.failures);
    studio.lost(member, member.failures > 1, heard);
    member.due = wait ? onBeat(sent, wait) : Infinity;
  }

  // The old text with the changed lines in it; the last ones come first, so that no place moves before its turn.
  function mend(text, patch) {
    const lines = text.split("\n");
    for (const [at, gone, put] of patch) lines.splice(at, gone, ...put);
    return lines.join("\n");
  }

  async function together(asked, fresh, signal) {
    const query = new URLSearchParams();
    for (const member of asked) {
      query.append("ask", member.ask());
      query.append("tag", member.tag);
    }
    if (fresh) query.append("fresh", 1);
    const answer = await studied(await fetch(`/live?${query}`, { cache: "no-store", signal }));
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    return answer.json();
  }

  async function single([member], _fresh, signal) {
    const answer = await studied(await fetch(member.ask(), { cache: "no-store", signal }));
    return [{ status: answer.status, body: await answer.json() }];
  }

  // Who has been logged out goes to the log-in; nothing waits for the answer then.
  function studied(answer) {
    if (answer.status !== 401) return answer;
    location.reload();
    return new Promise(() => {});
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) lookAtAll();
  });
  addEventListener("popstate", lookAtAll);
  addEventListener("offline", silent);
  addEventListener("online", lookAtAll);

  studio.pulse = { join };
})();
